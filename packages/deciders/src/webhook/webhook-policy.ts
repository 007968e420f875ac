// Who may do what with partners' webhooks: they are set up by operators, and nobody else.
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
