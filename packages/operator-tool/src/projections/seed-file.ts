// `seed-file`: a consistent copy of a read model of the edge, for a new node to begin from.
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { formatPosition } from '@headwater/eventstore/position'
import { readFile } from '@headwater/projections/operate/followers'
import { checkpointQuery } from '@headwater/projections/sqlite/file'
import { makeSeed } from '@headwater/projections/sqlite/seed'
import { edgeModels } from '@headwater/read-models/read-models'
import type { Answer, Command, Context, Given } from '../command.ts'
import { followerNamed } from '../doctor/followers.ts'
import { Refusal, WrongUse } from '../refusal.ts'

const bytesAMebibyte = 1_024 * 1_024

/** In a folder the copy has the name that an edge projector looks for. */
const targetOf = (to: string, name: string, version: number): string =>
  statSync(to, { throwIfNoEntry: false })?.isDirectory() ? path.join(to, `${name}.v${version}.sqlite`) : to

const seedFile = async ({ followers, writeDown }: Context, given: Given): Promise<Answer> => {
  const follower = followerNamed(followers, given.positionals[0] ?? '')
  const { name, version, place } = follower
  const to = given.text('to')
  if (to === undefined) throw new WrongUse('Say where the copy goes: --to <file or folder>.')
  const model = edgeModels.find((one) => one.name === name)
  if (!model) throw new Refusal(`${name} is in Postgres; ${edgeModels.map((one) => one.name).join(' and ')} are files.`)
  const target = targetOf(to, name, version)
  if (existsSync(target)) throw new Refusal(`${target} is there already: it is not overwritten.`)
  if (!existsSync(path.dirname(path.resolve(target)))) throw new Refusal(`There is no folder ${path.dirname(target)}.`)
  if (!(await follower.checkpoint()))
    throw new Refusal(`${name} has not been built here: there is no ${place} to copy.`)
  if (await follower.hasOtherShape()) throw new Refusal(`${place} was made for another shape of its tables.`)
  makeSeed(path.dirname(place), model, target)
  await writeDown({ what: `seed-file ${name}` })
  const checkpoint = readFile(target, (db) => checkpointQuery(db)())?.checkpoint
  if (!checkpoint) throw new Error(`${target} has no checkpoint.`)
  const position = formatPosition(checkpoint.position)
  const bytes = statSync(target).size
  return {
    json: { name, version, file: target, position, storeId: checkpoint.storeId, bytes },
    text: `${target}: ${name}, version ${version}, up to ${position}, ${(bytes / bytesAMebibyte).toFixed(1)} MiB. It holds personal data: its owner alone may read it.`,
  }
}

export const seedCommands: readonly Command[] = [
  {
    name: ['seed-file'],
    summary: 'copies a read model of the edge, for a new node to begin from',
    positionals: ['<model>'],
    options: {
      to: { type: 'string', value: '<file or folder>', help: 'where the copy goes; it must not be there yet' },
    },
    more: 'The copy is of one moment; its projector goes on meanwhile.',
    run: seedFile,
  },
]
