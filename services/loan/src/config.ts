// The loan service's settings.
import { loan } from '@headwater/deciders/loan/context'
import { keyLengthMin } from '@headwater/eventstore/keyed-id'
import { authSettings } from '@headwater/http-kit/access/auth'
import { auditSettings, serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'
import { faultPoint, refuseFaultsInProduction } from './fault-point.ts'

export const config = z
  .object({
    ...serverSettings(loan.service.port),
    ...authSettings,
    ...auditSettings,
    NODE_ENV: z.string().optional(),
    EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
    CREDIT_BUREAU_URL: z.url().default('http://127.0.0.1:8090'),
    /** Makes the names of applicants' streams from national ids; the same for all services, for ever. */
    APPLICANT_KEY: z.string().min(keyLengthMin),
    FAULT_POINT: faultPoint.optional(),
  })
  .check(refuseFaultsInProduction)
