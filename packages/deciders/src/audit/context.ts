// The context of the audit trail.
import { context } from '../context.ts'
import { auditApi } from './api.ts'
import { auditStream } from './audit-events.ts'

export const audit = context({ name: 'audit', streams: [auditStream], api: auditApi })
