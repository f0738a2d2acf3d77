// Package routes serves a repo over HTTP with Echo: a group of endpoints for users and one for administrators, with
// errors as problem documents (RFC 9457) and an OpenAPI document of what is mounted.
//
// Every endpoint decodes a request, calls the operation of the repo that does what is asked, and encodes the answer;
// permissions_patch calls two, in one transaction. Some also ask the repo for what the answer depends on, such as
// password_set, and confirmations does nothing else. What may be done, and by whom, is for the operations to say.
//
// Nothing of the program's Echo is changed: routes are added one by one, with their middleware; its error handler,
// binder and address extractor are left alone.
package routes
