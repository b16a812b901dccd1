package admission

// rule is the short name of what a change would break. Refusals are counted by it, so a name stays as it is.
type rule string

const (
	ruleBeyondBound             rule = "beyond-bound"
	ruleBeyondOwnRights         rule = "beyond-own-rights"
	ruleDuplicateMembership     rule = "duplicate-membership"
	ruleDuplicateUser           rule = "duplicate-user"
	ruleGroupNotGated           rule = "group-not-gated"
	ruleIncludesCycle           rule = "includes-cycle"
	ruleJoinClosed              rule = "join-closed"
	ruleJoinDuplicate           rule = "join-duplicate"
	ruleJoinFlood               rule = "join-flood"
	ruleJoinRelated             rule = "join-related"
	ruleJoinUnknown             rule = "join-unknown"
	ruleLastOwner               rule = "last-owner"
	ruleMFAWithoutOwner         rule = "mfa-without-owner"
	ruleMayNotAssign            rule = "may-not-assign"
	ruleMissingReference        rule = "missing-reference"
	ruleNamespaceForbidden      rule = "namespace-forbidden"
	ruleNamespaceForeignName    rule = "namespace-foreign-name"
	ruleNamespaceShared         rule = "namespace-shared"
	ruleNamespaceTaken          rule = "namespace-taken"
	ruleNotInAnOrganization     rule = "not-in-an-organization"
	ruleParentCycle             rule = "parent-cycle"
	ruleParentPersonal          rule = "parent-personal"
	ruleRoleNameTaken           rule = "role-name-taken"
	ruleServiceAccountElsewhere rule = "service-account-elsewhere"
	ruleServiceAccountTooStrong rule = "service-account-too-strong"
	ruleSuspendedOwner          rule = "suspended-owner"
	ruleTokenExceedsUser        rule = "token-exceeds-user"
	ruleTokenSecretTaken        rule = "token-secret-taken"
	ruleTooDeep                 rule = "too-deep"
	ruleUnavailableOwners       rule = "unavailable-owners"
	ruleUnreadableName          rule = "unreadable-name"
	ruleUserReferredTo          rule = "user-referred-to"
)

// rules are all of them.
var rules = []rule{
	ruleBeyondBound, ruleBeyondOwnRights, ruleDuplicateMembership, ruleDuplicateUser, ruleGroupNotGated, ruleIncludesCycle,
	ruleJoinClosed, ruleJoinDuplicate, ruleJoinFlood, ruleJoinRelated, ruleJoinUnknown, ruleLastOwner,
	ruleMFAWithoutOwner, ruleMayNotAssign, ruleMissingReference, ruleNamespaceForbidden, ruleNamespaceForeignName,
	ruleNamespaceShared, ruleNamespaceTaken, ruleNotInAnOrganization, ruleParentCycle, ruleParentPersonal,
	ruleRoleNameTaken, ruleServiceAccountElsewhere, ruleServiceAccountTooStrong, ruleSuspendedOwner,
	ruleTokenExceedsUser, ruleTokenSecretTaken, ruleTooDeep, ruleUnavailableOwners,
	ruleUnreadableName, ruleUserReferredTo,
}
