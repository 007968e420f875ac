// The commands on consents as the gateway forwards them. Where news is sent is told at sign-in, by the gateway itself.
import { consentCommandRules } from '@headwater/deciders/consent/consent-policy'
import {
  askConsentInput,
  declineConsentInput,
  grantConsentInput,
  revokeConsentInput,
} from '@headwater/deciders/consent/patient'
import type { ForwardedCommand } from '../forwarded-command.ts'

/** People only, each for themselves: there is one credential that may. */
const credential: ForwardedCommand['credential'] = ([allowed]) => allowed

export const consentCommands: readonly ForwardedCommand[] = [
  {
    url: '/api/consents/ask',
    service: 'consent',
    rules: consentCommandRules.AskConsent,
    summary: 'Ask a patient for consent',
    description:
      'For doctors, nurses and other patients, in their own name. The answer is the same whether or not there is such a patient, and its revision always 0. Patients see requests on their page, and get a mail where an address is known.',
    body: askConsentInput,
    credential,
  },
  {
    url: '/api/consents/grant',
    service: 'consent',
    rules: consentCommandRules.GrantConsent,
    summary: 'Let somebody see a part of your record',
    description:
      'Whether or not they asked; `no_such_grantee` where the directory of people knows no such person in this role. The same again with another end replaces what stands.',
    body: grantConsentInput,
    credential,
  },
  {
    url: '/api/consents/revoke',
    service: 'consent',
    rules: consentCommandRules.RevokeConsent,
    summary: 'Take a consent back',
    description: 'While `all` stands only that can be revoked, which leaves nothing.',
    body: revokeConsentInput,
    credential,
  },
  {
    url: '/api/consents/decline',
    service: 'consent',
    rules: consentCommandRules.DeclineConsent,
    summary: 'Decline what somebody asks for',
    description: 'They may ask again.',
    body: declineConsentInput,
    credential,
  },
]
