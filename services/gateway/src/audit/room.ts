// The audit trail in the gateway.
import type { Room } from '../room.ts'
import { registerAudit } from './audit.ts'

export const auditRoom: Room = {
  topics: {},
  register: ({ server, postgres, people }) => registerAudit(server, { reader: postgres('audit'), people }),
}
