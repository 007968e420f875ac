// People and clients to try Headwater with, one for each role. Everybody may know their secrets, so production refuses them.
import type { Client } from '../issuer/clients.ts'
import type { Registration } from './users.ts'

export const demoPassword = 'a stream of events'

const person = (userName: string, name: string, roles: readonly string[]): Registration => ({
  userName,
  name,
  email: `${userName}@example.org`,
  roles,
  password: demoPassword,
})

export const demoPeople: readonly Registration[] = [
  person('uma', 'Uma Underhill', ['underwriter']),
  person('otto', 'Otto Operator', ['operator']),
  person('ada', 'Ada Auditor', ['auditor']),
  person('alice', 'Alice Applegate', []),
  person('paula', 'Paula Patient', ['patient']),
  person('dora', 'Dora Doctor', ['doctor']),
  person('nils', 'Nils Nurse', ['nurse']),
]

/** Names a demo person's registration, so that it is the same one at every start. */
export const demoKey = ({ userName }: Registration): string => `demo ${userName}`

/** @param publicUrl of the gateway */
export const demoClients = (publicUrl: string): readonly Client[] => [
  {
    id: 'headwater-gateway',
    secret: 'development-only-headwater-gateway',
    redirectUris: [new URL('/auth/callback', publicUrl).href],
    postLogoutRedirectUris: [new URL('/', publicUrl).href],
    scopes: [],
  },
  {
    id: 'demo-partner',
    secret: 'development-only-demo-partner',
    redirectUris: [],
    postLogoutRedirectUris: [],
    scopes: ['loans:write', 'loans:read'],
  },
  {
    id: 'demo-hospital',
    secret: 'development-only-demo-hospital',
    redirectUris: [],
    postLogoutRedirectUris: [],
    scopes: ['consents:check'],
  },
]
