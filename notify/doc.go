// Package notify brings mails and SMS to people: it renders them from templates, hands them to senders, and works
// off the outbox that the store keeps.
//
// A message is queued in the transaction that causes it and sent later by a [Worker], at least once. Each try
// carries the same id, so a [Sender] can tell a message that it has had before. What failed for the moment is tried
// again on a schedule; what can never succeed is dead at once and waits for an administrator. Senders say which is
// which with [Permanent], [After] and [Misconfigured].
//
// Texts come from [Templates]: English and German are built in, and a program replaces them file by file. They
// load nothing from the network and lead nowhere but to the link of the message and the program's support page.
package notify
