// Lists every context of the product, for all parts of the engine.
import { audit } from './audit/context.ts'
import { consent } from './consent/context.ts'
import type { Context } from './context.ts'
import { identity } from './identity/context.ts'
import { loan } from './loan/context.ts'

export const contexts: readonly Context[] = [loan, consent, identity, audit]
