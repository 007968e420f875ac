// The contexts that have code of their own in the gateway.
import { auditRoom } from './audit/room.ts'
import { consentRoom } from './consent/room.ts'
import { loanRoom } from './loan/room.ts'
import type { Room } from './room.ts'

export const rooms: readonly Room[] = [loanRoom, consentRoom, auditRoom]
