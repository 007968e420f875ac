// Access rules, from which each context makes its policy. Deny by default.

/**
 * The caller. A `person` is signed in, a `partner` is a client with its own credentials, a `capability` holds the link
 * to one resource, whose name is its `sub` and its only scope.
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

/** Any one suffices; an empty list allows only the system. */
export type Rules = readonly Rule[]

export const anyone: Rule = { allows: 'anyone' }
/** Every person, signed in or not. Clients and links are limited to their scopes. */
export const people: Rule = { allows: 'people' }
/** Every signed-in person, without a role. */
export const signedIn: Rule = { allows: 'signed in' }
/** Only for people: a partner's client has scopes and no roles. */
export const role = (role: Role): Rule => ({ allows: 'role', role })
/** The owner of a resource: a person, the link to it, or the partner that created it, which also needs the scope. */
export const owner = (scope: Scope): Rule => ({ allows: 'owner', scope })
export const partner = (scope: Scope): Rule => ({ allows: 'partner', scope })

/** `if owner`: depends on the owner of the resource, which has to be read. */
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

/** Applies the rules to an actor before the resource is read. */
export const may = (actor: Actor, rules: Rules): Permission => {
  const permissions = rules.map((rule) => permissionBy(rule, actor))
  if (permissions.includes('yes')) return 'yes'
  return permissions.includes('if owner') ? 'if owner' : 'no'
}
