// Successive releases of one small context: badges that people get, use, and lose.
import { type Decider, Rejection } from '@headwater/deciders/decider'
import type { EventTypes } from '@headwater/deciders/event-types'
import { createCodec } from '@headwater/eventstore/codec'
import type { Projection } from '../src/model/projection.ts'

/** The field `user` of the first release is `holder` in the last. */
type Whose = 'user' | 'holder'

type BadgeEvent =
  | { type: 'BadgeGiven'; data: { badgeId: string } & { [whose in Whose]?: string } }
  | { type: 'BadgeUsed'; data: { badgeId: string; door?: string } }
  | { type: 'BadgeLost'; data: { badgeId: string } }

export type BadgeCommand =
  | { readonly type: 'GiveBadge'; readonly data: { readonly badgeId: string; readonly to: string } }
  | { readonly type: 'UseBadge' | 'ReportLost'; readonly data: { readonly badgeId: string } }

type Badge = { readonly status: 'none' | 'given' | 'lost' }

export type BadgeRow = {
  readonly badgeId: string
  readonly whose: string
  readonly status: 'given' | 'lost'
  readonly uses: number
}

export type Release = {
  readonly decider: Decider<BadgeCommand, BadgeEvent, Badge>
  readonly events: EventTypes
  /** @param version of the read model: the deployment's own, built beside those of other deployments */
  readonly projectionOf: (category: string, version: number) => Projection<BadgeEvent, { readonly badges: BadgeRow }>
}

const release = (
  types: EventTypes,
  whose: Whose,
  { door }: { /** The door of a use. */ readonly door?: string } = {},
): Release => {
  return {
    events: types,

    decider: {
      initialState: { status: 'none' },
      decide: ({ type, data }, { status }) => {
        const { badgeId } = data
        switch (type) {
          case 'GiveBadge':
            return [{ type: 'BadgeGiven', data: { badgeId, [whose]: data.to } }]
          case 'UseBadge':
            if (status !== 'given') throw new Rejection('badge_not_given', 'Nobody has this badge.')
            return [{ type: 'BadgeUsed', data: { badgeId, ...(door !== undefined && { door }) } }]
          case 'ReportLost':
            return [{ type: 'BadgeLost', data: { badgeId } }]
        }
      },
      evolve: (badge, { type }) => {
        switch (type) {
          case 'BadgeGiven':
            return { status: 'given' }
          case 'BadgeUsed':
            return badge
          case 'BadgeLost':
            return { status: 'lost' }
        }
      },
      isTerminal: ({ status }) => status === 'lost',
    },

    projectionOf: (category, version) => ({
      name: 'badges',
      version,
      categories: [category],
      codec: createCodec<BadgeEvent>({ events: types }),
      tables: {
        badges: {
          key: 'badgeId',
          columns: { badgeId: 'text', whose: 'text', status: 'text', uses: 'integer' },
          indexes: [],
        },
      },
      keys: ({ data: { badgeId } }) => ({ badges: [badgeId] }),
      project: (event, { badges }) => {
        const { badgeId } = event.data
        const badge = badges.get(badgeId)
        if (event.type === 'BadgeGiven')
          badges.set(badgeId, {
            badgeId,
            whose: event.data[whose] ?? 'nobody',
            status: 'given',
            uses: badge?.uses ?? 0,
          })
        else if (badge)
          badges.set(
            badgeId,
            event.type === 'BadgeLost' ? { ...badge, status: 'lost' } : { ...badge, uses: badge.uses + 1 },
          )
      },
    }),
  }
}

const known = { BadgeGiven: true, BadgeUsed: true }

/** The release that runs everywhere at first. */
export const first = release({ schemas: known, upcasts: {} }, 'user')

/** Adds the door, an optional field. */
export const withDoors = release({ schemas: known, upcasts: {} }, 'user', { door: 'north' })

const more = { ...known, BadgeLost: true }
type GivenToUser = { readonly badgeId: string; readonly user: string }
type GivenToHolder = { readonly badgeId: string; readonly holder: string }

/** The readers' release: writes the events of the first release, and reads those of the last. */
export const reading = release(
  {
    schemas: more,
    upcasts: {
      BadgeGiven: { to: 1, from: { 2: ({ holder, ...data }: GivenToHolder) => ({ ...data, user: holder }) } },
    },
  },
  'user',
)

/** The writers' release: `user` becomes `holder`, and badges get lost. */
export const last = release(
  {
    schemas: more,
    upcasts: {
      BadgeGiven: { to: 2, from: { 1: ({ user, ...data }: GivenToUser) => ({ ...data, holder: user }) } },
    },
  },
  'holder',
  { door: 'north' },
)
