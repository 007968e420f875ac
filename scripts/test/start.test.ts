// `npm start` where it cannot: it says why. What it runs when it can is seen in sign-in.test.ts.
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { freePorts, listenAnywhere, portOf, run } from './npm-start.ts'

test('says which port is taken and which setting changes it', async () => {
  const taken = await listenAnywhere()
  onTestFinished(() => void taken.close())
  const { child, output } = run({ ...(await freePorts()), LOAN_PORT: String(portOf(taken)) })
  await once(child, 'close')
  expect(child.exitCode).toBe(1)
  expect(output()).toContain(`Port ${portOf(taken)}, meant for loan, is taken`)
  expect(output()).toContain('LOAN_PORT=<port>')
})
