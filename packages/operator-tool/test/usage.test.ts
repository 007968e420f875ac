// How the tool is used: help everywhere, and clear words about what is asked wrongly.
import { start } from '@headwater/embedded-eventstore'
import { describe, expect, test } from 'vitest'
import { commands } from '../src/commands.ts'
import { startProcess, use } from './support.ts'

describe('help', () => {
  test.each([[[]], [['--help']], [['help']]])('%j names every command', async (args) => {
    const { code, out, err } = await use({}, args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const { name, summary } of commands)
      expect(out).toMatch(new RegExp(`^  ${name.join(' ')}.*  ${summary}$`, 'm'))
  })

  test('a group names its commands', async () => {
    const { code, out } = await use({}, ['parked'])
    expect(code).toBe(0)
    expect(out).toContain('parked retry <id>')
    expect(out).not.toContain('doctor')
  })

  test.each(commands.map((command) => [command.name.join(' '), command] as const))(
    '%s --help',
    async (_name, command) => {
      const { name, options = {} } = command
      const asked = await use({}, [...name, '--help'])
      expect(asked).toMatchObject({ code: 0, err: '' })
      for (const word of [...name, ...Object.keys(options).map((option) => `--${option}`), '--json'])
        expect(asked.out).toContain(word)
      expect(await use({}, ['help', ...name])).toEqual(asked)
    },
  )
})

test.each([
  [['projectons', 'list'], 'There is no command projectons. Did you mean projections?'],
  [['projections', 'lst'], 'There is no command projections lst. Did you mean list?'],
  [['xyz'], 'There is no command xyz. There are: doctor, projections,'],
  [['parked', 'list', '--jsn'], "Unknown option '--jsn'. Did you mean --json?"],
  [['projections', 'list', '--skip'], "Unknown option '--skip'."],
  [['doctor', 'now'], '"now" is one word too many: headwater doctor'],
  [['parked', 'show'], '<id> is missing: headwater parked show <id>'],
  [['parked', 'list', '--name'], "Option '--name <value>' argument missing"],
  [['--json', 'doctor'], 'The command comes first'],
])('%j is asked wrongly', async (args, why) => {
  const { code, out, err } = await use({}, args)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain(why)
  expect(err).toContain('headwater --help')
})

test('an environment that is wrong is named', async () => {
  const used = await use({ AUDIT_DAYS: 'many' }, ['doctor'])
  expect(used).toMatchObject({ code: 1, out: '' })
  expect(used.err).toMatch(/^The environment is not right:\nAUDIT_DAYS: /)
})

describe('as a process', () => {
  test('it ends with the code, and by itself', async () => {
    const { ended, said } = startProcess(['projections', 'lst'], {})
    expect(await ended).toBe(2)
    expect(said()).toMatchObject({ out: '', err: expect.stringContaining('Did you mean list?') })
  })

  test('Ctrl-C ends what has no end', async () => {
    const node = await start({ port: 0, memory: true })
    const { child, ended, said } = startProcess(['streams', 'follow', 'loan'], {
      EVENTSTORE_URL: node.connectionString,
    })
    await expect.poll(() => said().err).toContain('Ctrl-C ends it')
    child.kill('SIGINT')
    expect(await ended).toBe(0)
    await node.stop()
  })
})
