// The context of what people did that leads to no event of another context.
import { context } from '../context.ts'
import { auditApi } from './api.ts'
import { auditStream } from './audit-events.ts'

export const audit = context({ name: 'audit', streams: [auditStream], api: auditApi })
