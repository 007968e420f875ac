// Who may do what: the words of which each context makes the table beside its decider. What no table allows is refused.

/**
 * Who asks. `person` signed in, `partner` is a client with credentials of its own, `capability` holds the link to one
 * thing, whose name is its `sub` and its only scope.
 */
export type Actor = {
  readonly kind: 'anonymous' | 'person' | 'partner' | 'capability'
  readonly sub: string
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
}

export const anonymous: Actor = { kind: 'anonymous', sub: 'anonymous', roles: [], scopes: [] }

export type Role = 'underwriter' | 'operator' | 'auditor' | 'patient' | 'doctor' | 'nurse'
export type Scope = 'loans:write' | 'loans:read' | 'consents:check' | 'people:find'

export type Rule =
  | { readonly allows: 'anyone' }
  | { readonly allows: 'people' }
  | { readonly allows: 'signed in' }
  | { readonly allows: 'role'; readonly role: Role }
  | { readonly allows: 'owner'; readonly scope: Scope }
  | { readonly allows: 'partner'; readonly scope: Scope }

/** Any one of them suffices; none at all is for the system only. */
export type Rules = readonly Rule[]

export const anyone: Rule = { allows: 'anyone' }
/** Whoever acts for themselves, signed in or not. Clients and links may only do what their scopes say. */
export const people: Rule = { allows: 'people' }
/** Whoever acts for themselves and is known: a person has some things merely by being one. */
export const signedIn: Rule = { allows: 'signed in' }
/** People only: a partner's client has scopes and never a role. */
export const role = (role: Role): Rule => ({ allows: 'role', role })
/** Whose it is: a person, the link to it, or the partner that made it, which also needs the scope. */
export const owner = (scope: Scope): Rule => ({ allows: 'owner', scope })
export const partner = (scope: Scope): Rule => ({ allows: 'partner', scope })

/** `if owner`: it remains to be seen, once it is known whose the thing is. */
export type Permission = 'yes' | 'if owner' | 'no'

const permissionBy = (rule: Rule, { kind, roles, scopes }: Actor): Permission => {
  switch (rule.allows) {
    case 'anyone':
      return 'yes'
    case 'people':
      return kind === 'person' || kind === 'anonymous' ? 'yes' : 'no'
    case 'signed in':
      return kind === 'person' ? 'yes' : 'no'
    case 'role':
      return kind === 'person' && roles.includes(rule.role) ? 'yes' : 'no'
    case 'owner':
      if (kind === 'anonymous') return 'no'
      return kind === 'partner' && !scopes.includes(rule.scope) ? 'no' : 'if owner'
    case 'partner':
      return kind === 'partner' && scopes.includes(rule.scope) ? 'yes' : 'no'
  }
}

/** What the rules say of this actor before anything is read. */
export const may = (actor: Actor, rules: Rules): Permission => {
  const permissions = rules.map((rule) => permissionBy(rule, actor))
  if (permissions.includes('yes')) return 'yes'
  return permissions.includes('if owner') ? 'if owner' : 'no'
}
