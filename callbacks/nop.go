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

// BeforePhoneConfirm implements Lifecycle.
func (Nop[U]) BeforePhoneConfirm(context.Context, *PhoneConfirm[U]) error { return nil }

// AfterPhoneConfirm implements Lifecycle.
func (Nop[U]) AfterPhoneConfirm(context.Context, *PhoneConfirm[U]) error { return nil }

// OnPhoneConfirm implements Lifecycle.
func (Nop[U]) OnPhoneConfirm(context.Context, *PhoneConfirm[U]) error { return nil }

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

// BeforeArchive implements Lifecycle.
func (Nop[U]) BeforeArchive(context.Context, *Archive[U]) error { return nil }

// AfterArchive implements Lifecycle.
func (Nop[U]) AfterArchive(context.Context, *Archive[U]) error { return nil }

// OnArchive implements Lifecycle.
func (Nop[U]) OnArchive(context.Context, *Archive[U]) error { return nil }

// BeforeUnarchive implements Lifecycle.
func (Nop[U]) BeforeUnarchive(context.Context, *Unarchive[U]) error { return nil }

// AfterUnarchive implements Lifecycle.
func (Nop[U]) AfterUnarchive(context.Context, *Unarchive[U]) error { return nil }

// OnUnarchive implements Lifecycle.
func (Nop[U]) OnUnarchive(context.Context, *Unarchive[U]) error { return nil }

// BeforeBan implements Lifecycle.
func (Nop[U]) BeforeBan(context.Context, *Ban[U]) error { return nil }

// AfterBan implements Lifecycle.
func (Nop[U]) AfterBan(context.Context, *Ban[U]) error { return nil }

// OnBan implements Lifecycle.
func (Nop[U]) OnBan(context.Context, *Ban[U]) error { return nil }

// BeforeUnban implements Lifecycle.
func (Nop[U]) BeforeUnban(context.Context, *Unban[U]) error { return nil }

// AfterUnban implements Lifecycle.
func (Nop[U]) AfterUnban(context.Context, *Unban[U]) error { return nil }

// OnUnban implements Lifecycle.
func (Nop[U]) OnUnban(context.Context, *Unban[U]) error { return nil }

// BeforeKick implements Lifecycle.
func (Nop[U]) BeforeKick(context.Context, *Kick) error { return nil }

// AfterKick implements Lifecycle.
func (Nop[U]) AfterKick(context.Context, *Kick) error { return nil }

// OnKick implements Lifecycle.
func (Nop[U]) OnKick(context.Context, *Kick) error { return nil }

// BeforeBlackout implements Lifecycle.
func (Nop[U]) BeforeBlackout(context.Context, *Blackout) error { return nil }

// AfterBlackout implements Lifecycle.
func (Nop[U]) AfterBlackout(context.Context, *Blackout) error { return nil }

// OnBlackout implements Lifecycle.
func (Nop[U]) OnBlackout(context.Context, *Blackout) error { return nil }

// BeforePermissionsChange implements Lifecycle.
func (Nop[U]) BeforePermissionsChange(context.Context, *PermissionsChange[U]) error { return nil }

// AfterPermissionsChange implements Lifecycle.
func (Nop[U]) AfterPermissionsChange(context.Context, *PermissionsChange[U]) error { return nil }

// OnPermissionsChange implements Lifecycle.
func (Nop[U]) OnPermissionsChange(context.Context, *PermissionsChange[U]) error { return nil }

// AfterSessionRevoke implements Lifecycle.
func (Nop[U]) AfterSessionRevoke(context.Context, *SessionRevoke) error { return nil }

// OnSessionRevoke implements Lifecycle.
func (Nop[U]) OnSessionRevoke(context.Context, *SessionRevoke) error { return nil }

// AfterTokenReuse implements Lifecycle.
func (Nop[U]) AfterTokenReuse(context.Context, *TokenReuse) error { return nil }

// OnTokenReuse implements Lifecycle.
func (Nop[U]) OnTokenReuse(context.Context, *TokenReuse) error { return nil }

// AfterLockout implements Lifecycle.
func (Nop[U]) AfterLockout(context.Context, *Lockout) error { return nil }

// OnLockout implements Lifecycle.
func (Nop[U]) OnLockout(context.Context, *Lockout) error { return nil }

// BeforeMessage implements Lifecycle.
func (Nop[U]) BeforeMessage(context.Context, *Message[U]) error { return nil }

// AfterMessage implements Lifecycle.
func (Nop[U]) AfterMessage(context.Context, *Message[U]) error { return nil }

// OnMessage implements Lifecycle.
func (Nop[U]) OnMessage(context.Context, *Message[U]) error { return nil }
