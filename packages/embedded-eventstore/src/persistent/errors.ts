// How the PersistentSubscriptions service reports what went wrong (§2.8).
import { status } from '@grpc/grpc-js'
import { failure, Refused } from '../errors.ts'
import type { GroupName } from './requests.ts'

const refused = (code: status, exception: string, details: string, { streamName, groupName }: GroupName): Refused =>
  new Refused(failure(code, details, { exception, 'stream-name': streamName, 'group-name': groupName }))

const theGroup = ({ streamName, groupName }: GroupName): string =>
  `Subscription group ${groupName} on stream ${streamName}`

export const persistentSubscriptionExists = (name: GroupName): Refused =>
  refused(status.ALREADY_EXISTS, 'persistent-subscription-exists', `${theGroup(name)} exists.`, name)

export const persistentSubscriptionDoesNotExist = (name: GroupName): Refused =>
  refused(status.NOT_FOUND, 'persistent-subscription-does-not-exist', `${theGroup(name)} does not exist.`, name)

export const maximumSubscribersReached = (name: GroupName): Refused =>
  refused(
    status.FAILED_PRECONDITION,
    'maximum-subscribers-reached',
    `${theGroup(name)} has as many subscribers as it may have.`,
    name,
  )

export const persistentSubscriptionDropped = (name: GroupName): Refused =>
  refused(status.CANCELLED, 'persistent-subscription-dropped', `${theGroup(name)} was dropped.`, name)

export const persistentSubscriptionFailed = (name: GroupName, reason: string): Refused =>
  new Refused(
    failure(status.INTERNAL, `${theGroup(name)} failed: ${reason}`, {
      exception: 'persistent-subscription-failed',
      'stream-name': name.streamName,
      'group-name': name.groupName,
      reason,
    }),
  )
