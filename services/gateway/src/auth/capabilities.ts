// What an applicant without an account holds: a token of the gateway's own for one loan, in a cookie of its own.
import type { KeyObject } from 'node:crypto'
import { uuid } from '@headwater/deciders/fields'
import { loanCapability, loanOfCapability } from '@headwater/deciders/loan/loan-policy'
import { type Authenticator, capabilityIssuer, tokenEndMs } from '@headwater/http-kit/access/auth'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { decodeJwt, SignJWT } from 'jose'
import type { Cookies } from './cookies.ts'
import type { Credential } from './credentials.ts'

const cookieStart = 'headwater_loan_'
const capabilityDaysMax = 90
const dayMs = 86_400_000
/** In one browser: further loans push out those that were held longest. */
const capabilitiesMax = 10

export type Capabilities = {
  /** Whether the request brings any, valid or not. */
  readonly isHeldBy: (request: FastifyRequest) => boolean
  /** Those that are valid. @throws Problem 503 */
  readonly credentials: (request: FastifyRequest) => Promise<readonly Credential[]>
  /**
   * Lets the browser that is answered follow the loan and withdraw it.
   * @param untilMs since 1970; as long as anybody may who has just applied, when it is not said
   */
  readonly grant: (request: FastifyRequest, reply: FastifyReply, loanId: string, untilMs?: number) => Promise<void>
}

/** The loans whose capabilities are among the credentials. */
export const loansHeld = (credentials: readonly Credential[]): readonly string[] =>
  credentials.flatMap(({ actor }) => loanOfCapability(actor) ?? [])

const issuedAt = (token: string): number => {
  try {
    return decodeJwt(token).iat ?? 0
  } catch {
    return 0
  }
}

export const createCapabilities = ({
  authenticator: { actorOf },
  cookies,
  audience,
  privateKey,
}: {
  readonly authenticator: Pick<Authenticator, 'actorOf'>
  readonly cookies: Cookies
  readonly audience: string
  readonly privateKey: KeyObject
}): Capabilities => {
  const held = (request: FastifyRequest) =>
    cookies.startingWith(request, cookieStart).filter(({ rest }) => uuid.safeParse(rest).success)

  const credentialOf = async (loanId: string, token: string): Promise<readonly Credential[]> => {
    try {
      const actor = await actorOf(token)
      return loanOfCapability(actor) === loanId ? [{ actor, token, endsAtMs: () => tokenEndMs(token) }] : []
    } catch (error) {
      // Run out, or signed with a key that is no longer used: as if it were not there.
      if (error instanceof Problem && error.status === 401) return []
      throw error
    }
  }

  return {
    isHeldBy: (request) => held(request).length > 0,
    credentials: async (request) => {
      const looked = held(request).slice(0, capabilitiesMax)
      return (await Promise.all(looked.map(({ rest, value }) => credentialOf(rest, value)))).flat()
    },
    grant: async (request, reply, loanId, untilMs = Date.now() + capabilityDaysMax * dayMs) => {
      const name = loanCapability(loanId)
      const token = await new SignJWT({ scope: name })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
        .setIssuer(capabilityIssuer)
        .setAudience(audience)
        .setSubject(name)
        .setIssuedAt()
        .setExpirationTime(new Date(untilMs))
        .sign(privateKey)
      const others = held(request)
        .filter(({ rest }) => rest !== loanId)
        .sort((a, b) => issuedAt(b.value) - issuedAt(a.value))
      for (const { rest } of others.slice(capabilitiesMax - 1)) cookies.forget(reply, cookieStart + rest)
      cookies.set(reply, cookieStart + loanId, token, Math.round((untilMs - Date.now()) / 1_000))
    },
  }
}
