package callbacks

import "context"

// Nop is every hook of Lifecycle, doing nothing, for a program to embed and override.
type Nop[U any] struct{}

// BeforeCreate implements Lifecycle.
func (Nop[U]) BeforeCreate(context.Context, *Create[U]) error { return nil }

// AfterCreate implements Lifecycle.
func (Nop[U]) AfterCreate(context.Context, *Create[U]) error { return nil }

// OnCreate implements Lifecycle.
func (Nop[U]) OnCreate(context.Context, *Create[U]) error { return nil }

// BeforeUpdate implements Lifecycle.
func (Nop[U]) BeforeUpdate(context.Context, *Update[U]) error { return nil }

// AfterUpdate implements Lifecycle.
func (Nop[U]) AfterUpdate(context.Context, *Update[U]) error { return nil }

// OnUpdate implements Lifecycle.
func (Nop[U]) OnUpdate(context.Context, *Update[U]) error { return nil }

// BeforeDelete implements Lifecycle.
func (Nop[U]) BeforeDelete(context.Context, *Delete[U]) error { return nil }

// AfterDelete implements Lifecycle.
func (Nop[U]) AfterDelete(context.Context, *Delete[U]) error { return nil }

// OnDelete implements Lifecycle.
func (Nop[U]) OnDelete(context.Context, *Delete[U]) error { return nil }

// BeforeRestore implements Lifecycle.
func (Nop[U]) BeforeRestore(context.Context, *Restore[U]) error { return nil }

// AfterRestore implements Lifecycle.
func (Nop[U]) AfterRestore(context.Context, *Restore[U]) error { return nil }

// OnRestore implements Lifecycle.
func (Nop[U]) OnRestore(context.Context, *Restore[U]) error { return nil }

// BeforeSocialLink implements Lifecycle.
func (Nop[U]) BeforeSocialLink(context.Context, *SocialLink[U]) error { return nil }

// AfterSocialLink implements Lifecycle.
func (Nop[U]) AfterSocialLink(context.Context, *SocialLink[U]) error { return nil }

// OnSocialLink implements Lifecycle.
func (Nop[U]) OnSocialLink(context.Context, *SocialLink[U]) error { return nil }

// BeforeSocialUnlink implements Lifecycle.
func (Nop[U]) BeforeSocialUnlink(context.Context, *SocialUnlink[U]) error { return nil }

// AfterSocialUnlink implements Lifecycle.
func (Nop[U]) AfterSocialUnlink(context.Context, *SocialUnlink[U]) error { return nil }

// OnSocialUnlink implements Lifecycle.
func (Nop[U]) OnSocialUnlink(context.Context, *SocialUnlink[U]) error { return nil }

// BeforeUsernameChange implements Lifecycle.
func (Nop[U]) BeforeUsernameChange(context.Context, *UsernameChange[U]) error { return nil }

// AfterUsernameChange implements Lifecycle.
func (Nop[U]) AfterUsernameChange(context.Context, *UsernameChange[U]) error { return nil }

// OnUsernameChange implements Lifecycle.
func (Nop[U]) OnUsernameChange(context.Context, *UsernameChange[U]) error { return nil }

// BeforeContactChange implements Lifecycle.
func (Nop[U]) BeforeContactChange(context.Context, *ContactChange[U]) error { return nil }

// AfterContactChange implements Lifecycle.
func (Nop[U]) AfterContactChange(context.Context, *ContactChange[U]) error { return nil }

// OnContactChange implements Lifecycle.
func (Nop[U]) OnContactChange(context.Context, *ContactChange[U]) error { return nil }

// BeforeEmailConfirm implements Lifecycle.
func (Nop[U]) BeforeEmailConfirm(context.Context, *EmailConfirm[U]) error { return nil }

// AfterEmailConfirm implements Lifecycle.
func (Nop[U]) AfterEmailConfirm(context.Context, *EmailConfirm[U]) error { return nil }

// OnEmailConfirm implements Lifecycle.
func (Nop[U]) OnEmailConfirm(context.Context, *EmailConfirm[U]) error { return nil }

// BeforePasswordChange implements Lifecycle.
func (Nop[U]) BeforePasswordChange(context.Context, *PasswordChange[U]) error { return nil }

// AfterPasswordChange implements Lifecycle.
func (Nop[U]) AfterPasswordChange(context.Context, *PasswordChange[U]) error { return nil }

// OnPasswordChange implements Lifecycle.
func (Nop[U]) OnPasswordChange(context.Context, *PasswordChange[U]) error { return nil }

// BeforePasswordResetRequest implements Lifecycle.
func (Nop[U]) BeforePasswordResetRequest(context.Context, *PasswordResetRequest[U]) error { return nil }

// AfterPasswordResetRequest implements Lifecycle.
func (Nop[U]) AfterPasswordResetRequest(context.Context, *PasswordResetRequest[U]) error { return nil }

// OnPasswordResetRequest implements Lifecycle.
func (Nop[U]) OnPasswordResetRequest(context.Context, *PasswordResetRequest[U]) error { return nil }

// BeforeLogin implements Lifecycle.
func (Nop[U]) BeforeLogin(context.Context, *Login[U]) error { return nil }

// AfterLogin implements Lifecycle.
func (Nop[U]) AfterLogin(context.Context, *Login[U]) error { return nil }

// OnLogin implements Lifecycle.
func (Nop[U]) OnLogin(context.Context, *Login[U]) error { return nil }

// AfterLoginFailed implements Lifecycle.
func (Nop[U]) AfterLoginFailed(context.Context, *LoginFailed) error { return nil }

// OnLoginFailed implements Lifecycle.
func (Nop[U]) OnLoginFailed(context.Context, *LoginFailed) error { return nil }

// BeforeLogout implements Lifecycle.
func (Nop[U]) BeforeLogout(context.Context, *Logout) error { return nil }

// AfterLogout implements Lifecycle.
func (Nop[U]) AfterLogout(context.Context, *Logout) error { return nil }

// OnLogout implements Lifecycle.
func (Nop[U]) OnLogout(context.Context, *Logout) error { return nil }

// AfterSessionRevoke implements Lifecycle.
func (Nop[U]) AfterSessionRevoke(context.Context, *SessionRevoke) error { return nil }

// OnSessionRevoke implements Lifecycle.
func (Nop[U]) OnSessionRevoke(context.Context, *SessionRevoke) error { return nil }

// AfterTokenReuse implements Lifecycle.
func (Nop[U]) AfterTokenReuse(context.Context, *TokenReuse) error { return nil }

// OnTokenReuse implements Lifecycle.
func (Nop[U]) OnTokenReuse(context.Context, *TokenReuse) error { return nil }

// BeforeMessage implements Lifecycle.
func (Nop[U]) BeforeMessage(context.Context, *Message[U]) error { return nil }

// AfterMessage implements Lifecycle.
func (Nop[U]) AfterMessage(context.Context, *Message[U]) error { return nil }

// OnMessage implements Lifecycle.
func (Nop[U]) OnMessage(context.Context, *Message[U]) error { return nil }
