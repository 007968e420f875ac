// The credit bureau of measures: the sandbox's, told to answer at once.
import type { Processes } from './processes.ts'

/** @returns its address */
export const startQuickBureau = async (processes: Processes): Promise<string> => {
  const { url } = await processes.service('sandbox', { SMTP_PORT: '0' })
  await fetch(`${url}/v1/behaviour`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mode: 'normal', delayMs: 0 }),
  })
  return url
}
