// Access control of projections and their streams, with TLS and users.
import { AccessDeniedError } from '@eventstore/db-client'
import { expect, test } from 'vitest'
import { added, collect } from './helpers.ts'
import { caughtUp, projectionNames, targetsOf } from './projections-helpers.ts'
import { useSecureStore } from './security.ts'

const used = useSecureStore()
const name = '$by_category'
const denied = (asked: Promise<unknown>) => expect(asked).rejects.toBeInstanceOf(AccessDeniedError)

test('anonymous callers are denied all actions', async () => {
  const { client } = used
  await denied(client.listProjections())
  await denied(client.getProjectionStatus(name))
  await denied(client.getProjectionState(name))
  await denied(client.getProjectionResult(name))
  await denied(client.enableProjection(name))
  await denied(client.disableProjection(name))
  await denied(client.resetProjection(name))
  await denied(client.updateProjection(name, 'first\n-'))
  await denied(client.createProjection('own', 'fromAll()'))
  await denied(client.deleteProjection(name))
  await denied(client.restartSubsystem())
})

test('users manage projections, and operators restart the subsystem', async () => {
  const bob = used.clientOf('bob')
  expect(await bob.listProjections()).toHaveLength(projectionNames.length)
  await bob.enableProjection(name)
  await denied(bob.deleteProjection(name))
  await denied(bob.restartSubsystem())
  await used.clientOf('ops').restartSubsystem()
  await expect(used.clientOf('admin').deleteProjection(name)).rejects.toThrow('System projections cannot be deleted')
})

test('every user reads links, but no linked event without the right to read it', async () => {
  const [admin, bob] = [used.clientOf('admin'), used.clientOf('bob')]
  await admin.enableProjection(name)
  await bob.appendToStream('open-1', added())
  await admin.setStreamMetadata('closed-1', { acl: { readRoles: ['$admins'] } })
  await admin.appendToStream('closed-1', added())
  await caughtUp(bob)
  expect(await targetsOf(bob, '$ce-open')).toEqual(['0@open-1'])
  expect(await collect(bob.readStream('$ce-closed'))).toHaveLength(1)
  await denied(targetsOf(bob, '$ce-closed'))
  expect(await targetsOf(admin, '$ce-closed')).toEqual(['0@closed-1'])
  await denied(collect(bob.readStream(`$projections-${name}-checkpoint`)))
  await denied(bob.appendToStream('$ce-open', added()))
})
