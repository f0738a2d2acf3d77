package callbacks

import "context"

// Set is the points of a repo, one for each thing that happens to a user. Functions can be added to it before and
// after the repo is initialised, also while operations run.
type Set[U any] struct {
	Create               Point[*Create[U]]
	Update               Point[*Update[U]]
	Delete               Point[*Delete[U]]
	Restore              Point[*Restore[U]]
	SocialLink           Point[*SocialLink[U]]
	SocialUnlink         Point[*SocialUnlink[U]]
	UsernameChange       Point[*UsernameChange[U]]
	ContactChange        Point[*ContactChange[U]]
	EmailConfirm         Point[*EmailConfirm[U]]
	PhoneConfirm         Point[*PhoneConfirm[U]]
	PasswordChange       Point[*PasswordChange[U]]
	PasswordResetRequest Point[*PasswordResetRequest[U]]
	Login                Point[*Login[U]]
	LoginFailed          Notice[*LoginFailed]
	Logout               Point[*Logout]
	Archive              Point[*Archive[U]]
	Unarchive            Point[*Unarchive[U]]
	Ban                  Point[*Ban[U]]
	Unban                Point[*Unban[U]]
	Kick                 Point[*Kick]
	Blackout             Point[*Blackout]
	PermissionsChange    Point[*PermissionsChange[U]]
	SessionRevoke        Notice[*SessionRevoke]
	TokenReuse           Notice[*TokenReuse]
	Lockout              Notice[*Lockout]
	Message              Point[*Message[U]]
}

// Lifecycle is the hooks that a program may define on its own type. Before… vetoes or alters, After… runs in the
// same transaction with the rows written, On… runs after the commit and cannot change the result.
type Lifecycle[U any] interface {
	BeforeCreate(ctx context.Context, e *Create[U]) error
	AfterCreate(ctx context.Context, e *Create[U]) error
	OnCreate(ctx context.Context, e *Create[U]) error

	BeforeUpdate(ctx context.Context, e *Update[U]) error
	AfterUpdate(ctx context.Context, e *Update[U]) error
	OnUpdate(ctx context.Context, e *Update[U]) error

	BeforeDelete(ctx context.Context, e *Delete[U]) error
	AfterDelete(ctx context.Context, e *Delete[U]) error
	OnDelete(ctx context.Context, e *Delete[U]) error

	BeforeRestore(ctx context.Context, e *Restore[U]) error
	AfterRestore(ctx context.Context, e *Restore[U]) error
	OnRestore(ctx context.Context, e *Restore[U]) error

	BeforeSocialLink(ctx context.Context, e *SocialLink[U]) error
	AfterSocialLink(ctx context.Context, e *SocialLink[U]) error
	OnSocialLink(ctx context.Context, e *SocialLink[U]) error

	BeforeSocialUnlink(ctx context.Context, e *SocialUnlink[U]) error
	AfterSocialUnlink(ctx context.Context, e *SocialUnlink[U]) error
	OnSocialUnlink(ctx context.Context, e *SocialUnlink[U]) error

	BeforeUsernameChange(ctx context.Context, e *UsernameChange[U]) error
	AfterUsernameChange(ctx context.Context, e *UsernameChange[U]) error
	OnUsernameChange(ctx context.Context, e *UsernameChange[U]) error

	BeforeContactChange(ctx context.Context, e *ContactChange[U]) error
	AfterContactChange(ctx context.Context, e *ContactChange[U]) error
	OnContactChange(ctx context.Context, e *ContactChange[U]) error

	BeforeEmailConfirm(ctx context.Context, e *EmailConfirm[U]) error
	AfterEmailConfirm(ctx context.Context, e *EmailConfirm[U]) error
	OnEmailConfirm(ctx context.Context, e *EmailConfirm[U]) error

	BeforePhoneConfirm(ctx context.Context, e *PhoneConfirm[U]) error
	AfterPhoneConfirm(ctx context.Context, e *PhoneConfirm[U]) error
	OnPhoneConfirm(ctx context.Context, e *PhoneConfirm[U]) error

	BeforePasswordChange(ctx context.Context, e *PasswordChange[U]) error
	AfterPasswordChange(ctx context.Context, e *PasswordChange[U]) error
	OnPasswordChange(ctx context.Context, e *PasswordChange[U]) error

	BeforePasswordResetRequest(ctx context.Context, e *PasswordResetRequest[U]) error
	AfterPasswordResetRequest(ctx context.Context, e *PasswordResetRequest[U]) error
	OnPasswordResetRequest(ctx context.Context, e *PasswordResetRequest[U]) error

	BeforeLogin(ctx context.Context, e *Login[U]) error
	AfterLogin(ctx context.Context, e *Login[U]) error
	OnLogin(ctx context.Context, e *Login[U]) error

	AfterLoginFailed(ctx context.Context, e *LoginFailed) error
	OnLoginFailed(ctx context.Context, e *LoginFailed) error

	BeforeLogout(ctx context.Context, e *Logout) error
	AfterLogout(ctx context.Context, e *Logout) error
	OnLogout(ctx context.Context, e *Logout) error

	BeforeArchive(ctx context.Context, e *Archive[U]) error
	AfterArchive(ctx context.Context, e *Archive[U]) error
	OnArchive(ctx context.Context, e *Archive[U]) error

	BeforeUnarchive(ctx context.Context, e *Unarchive[U]) error
	AfterUnarchive(ctx context.Context, e *Unarchive[U]) error
	OnUnarchive(ctx context.Context, e *Unarchive[U]) error

	BeforeBan(ctx context.Context, e *Ban[U]) error
	AfterBan(ctx context.Context, e *Ban[U]) error
	OnBan(ctx context.Context, e *Ban[U]) error

	BeforeUnban(ctx context.Context, e *Unban[U]) error
	AfterUnban(ctx context.Context, e *Unban[U]) error
	OnUnban(ctx context.Context, e *Unban[U]) error

	BeforeKick(ctx context.Context, e *Kick) error
	AfterKick(ctx context.Context, e *Kick) error
	OnKick(ctx context.Context, e *Kick) error

	BeforeBlackout(ctx context.Context, e *Blackout) error
	AfterBlackout(ctx context.Context, e *Blackout) error
	OnBlackout(ctx context.Context, e *Blackout) error

	BeforePermissionsChange(ctx context.Context, e *PermissionsChange[U]) error
	AfterPermissionsChange(ctx context.Context, e *PermissionsChange[U]) error
	OnPermissionsChange(ctx context.Context, e *PermissionsChange[U]) error

	AfterSessionRevoke(ctx context.Context, e *SessionRevoke) error
	OnSessionRevoke(ctx context.Context, e *SessionRevoke) error

	AfterTokenReuse(ctx context.Context, e *TokenReuse) error
	OnTokenReuse(ctx context.Context, e *TokenReuse) error

	AfterLockout(ctx context.Context, e *Lockout) error
	OnLockout(ctx context.Context, e *Lockout) error

	BeforeMessage(ctx context.Context, e *Message[U]) error
	AfterMessage(ctx context.Context, e *Message[U]) error
	OnMessage(ctx context.Context, e *Message[U]) error
}
