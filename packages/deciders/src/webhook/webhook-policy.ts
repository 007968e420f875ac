// Access rules of partners' webhooks: only operators manage them.
import { type Rules, role } from '../policy.ts'

const operators: Rules = [role('operator')]

export const webhookRules = {
  register: operators,
  list: operators,
  disable: operators,
  enable: operators,
  rotateSecret: operators,
  deliveries: operators,
  deliverAgain: operators,
} satisfies Readonly<Record<string, Rules>>
