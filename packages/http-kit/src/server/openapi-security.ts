// What OpenAPI says about who may use an operation and with what: from the same rules that the server asks.
import { anonymous, anyone, may, type Rule, type Rules } from '@headwater/deciders/policy'
import type { FastifySchema } from 'fastify'
import { problemAnswer } from '../commands/problem.ts'

/** What a server takes for credentials. */
export type Accepted = {
  /** The issuer of the tokens, where its name is known. */
  readonly issuer?: string
  /** Cookies of browsers, as only the front door knows them. */
  readonly cookies?: boolean
  /** Partners may ask so much a minute and are told when it is too much. */
  readonly limitsPartners?: boolean | undefined
}

type Requirement = Readonly<Record<string, string[]>>

const bearerScheme = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'An access token of the identity provider, of a person or of a partner.',
} as const

/** Roles and scopes beside a scheme are what it must bring. */
export const securitySchemes = ({ issuer, cookies }: Accepted) => ({
  bearer: bearerScheme,
  ...(issuer !== undefined && {
    partner: {
      type: 'openIdConnect',
      openIdConnectUrl: `${issuer}/.well-known/openid-configuration`,
      description: 'For partners: an access token by client credentials, with the scopes named beside an operation.',
    } as const,
  }),
  ...(cookies && {
    session: {
      type: 'apiKey',
      in: 'cookie',
      name: 'headwater_session',
      description: 'Of people who signed in at /auth/sign-in. Over TLS its name begins with __Host-.',
    } as const,
    capability: {
      type: 'apiKey',
      in: 'cookie',
      name: 'headwater_loan_<loanId>',
      description: 'Of whoever applied without an account, for that one loan. Over TLS its name begins with __Host-.',
    } as const,
  }),
})

const requirementsOf = (rule: Rule, { issuer, cookies }: Accepted): Requirement[] => {
  const person = (roles: string[]): Requirement[] => [{ bearer: roles }, ...(cookies ? [{ session: roles }] : [])]
  const partner = (scope: string): Requirement[] =>
    issuer === undefined ? [{ bearer: [scope] }] : [{ partner: [scope] }]
  switch (rule.allows) {
    case 'anyone':
      return [{}]
    case 'people':
      return [...person([]), {}]
    case 'signed in':
      return person([])
    case 'role':
      return person([rule.role])
    case 'owner':
      return [...person([]), ...(cookies ? [{ capability: [] }] : []), ...partner(rule.scope)]
    case 'partner':
      return partner(rule.scope)
  }
}

/** Any one of them suffices; an empty one is nobody in particular. */
export const securityOf = (rules: Rules, accepted: Accepted): Requirement[] => {
  const all = rules.flatMap((rule) => requirementsOf(rule, accepted))
  return [...new Map(all.map((requirement) => [JSON.stringify(requirement), requirement])).values()]
}

const concernsPartners = ({ allows }: Rule): boolean => allows === 'owner' || allows === 'partner'

/** The description of a route with what follows from its rules. */
export const withSecurity = <Schema extends FastifySchema>(schema: Schema, rules: Rules, accepted: Accepted) => {
  if (rules.includes(anyone)) return schema
  const { issuer: _, limitsPartners } = accepted
  return {
    ...schema,
    security: securityOf(rules, accepted),
    response: {
      401: problemAnswer(
        may(anonymous, rules) === 'no'
          ? '`not_signed_in`: no credentials, or `invalid_token`: such as are not valid any more.'
          : '`invalid_token`: credentials that are not valid, or not any more.',
      ),
      403: problemAnswer('`forbidden`: the roles or scopes do not allow it.'),
      ...(limitsPartners &&
        rules.some(concernsPartners) && { 429: problemAnswer('`too_many_requests`: see `Retry-After`.') }),
      ...(schema.response as object | undefined),
    },
  }
}
