// Checks what the store holds against what was acknowledged: all of it, once, in its order, and nothing that nobody asked for.
import { differencesOf, expectNone } from './differences.ts'
import type { Acknowledged, LoanModel, Model } from './model.ts'
import type { Kept, StoreFold } from './store-fold.ts'
import type { Tally } from './tally.ts'

type Streams = StoreFold['streams']

const acknowledgedOnce = (streams: Streams, acknowledged: readonly Acknowledged[]): readonly string[] => {
  const runs = new Map<string, readonly Kept[]>()
  const findings: string[] = []
  for (const [stream, events] of streams)
    for (const event of events) {
      const { commandId } = event
      const run = runs.get(`${stream} ${commandId}`) ?? []
      if (run.length > 0 && run.at(-1)?.revision !== event.revision - 1)
        findings.push(`${stream}: what ${commandId} led to is there in pieces, or more than once`)
      runs.set(`${stream} ${commandId}`, [...run, event])
    }
  const answered = new Set<string>()
  for (const { stream, revision, position, fact } of acknowledged) {
    const events = streams.get(stream)
    const last = revision === undefined ? events?.find((event) => event.position === position) : events?.[revision]
    if (!last) {
      findings.push(`${stream}: ${fact} was acknowledged at ${revision ?? position} and is not there`)
      continue
    }
    const run = runs.get(`${stream} ${last.commandId}`) ?? []
    if (run[0]?.fact !== fact || run.at(-1) !== last || last.position !== position)
      findings.push(
        `${stream}: ${fact} was acknowledged at ${revision} ${position}, where ${run[0]?.fact} to ${last.revision} ${last.position} is`,
      )
    if (answered.has(last.id)) findings.push(`${stream}: ${fact} at ${last.revision} is the answer to two commands`)
    answered.add(last.id)
  }
  return findings
}

const wholeStreams = (streams: Streams): readonly string[] => {
  const ids = new Set<string>()
  const findings: string[] = []
  for (const [stream, events] of streams)
    events.forEach(({ id, revision }, n) => {
      if (ids.has(id)) findings.push(`${stream}: the event ${id} is there twice`)
      ids.add(id)
      if (revision !== n) findings.push(`${stream}: revision ${revision} stands at ${n}`)
    })
  return findings
}

/** The events of a loan that was decided like this. A withdrawal may be faster than a credit check that was late. */
const loanFacts = ({ decision }: LoanModel, facts: readonly string[]): readonly string[] => {
  const last = { approve: ['ManuallyApproved'], deny: ['ManuallyDenied'], withdraw: ['LoanWithdrawn'], none: [] }
  const outcomes = ['AutoApproved', 'AutoDenied', 'ManualReviewRequired']
  const checked = decision === 'withdraw' && facts.length === 2 ? [] : ['CreditChecked', String(facts[2])]
  const isKnown = checked.length === 0 || outcomes.includes(String(facts[2]))
  return ['LoanRequested', ...(isKnown ? checked : ['CreditChecked', 'an outcome']), ...last[decision]]
}

const factsOf = (events: readonly Kept[]) => events.map(({ fact }) => fact)

const streamsOf = (streams: Streams, category: string) =>
  [...streams].filter(([stream]) => stream.startsWith(`${category}-`))

const loansAsAcknowledged = (streams: Streams, { loans }: Model): readonly string[] => {
  const found = new Map(streamsOf(streams, 'loan').map(([stream, events]) => [stream, factsOf(events)]))
  const expected = new Map(
    [...loans].map(([id, loan]) => [`loan-${id}`, loanFacts(loan, found.get(`loan-${id}`) ?? [])]),
  )
  return differencesOf(expected, found)
}

/** Ends are written down by a job, once each, whenever that comes to it. */
const patientsAsAcknowledged = (streams: Streams, { patients }: Model): readonly string[] => {
  const found = streamsOf(streams, 'patient')
  const isEnd = (fact: string) => fact.startsWith('ConsentExpired ')
  const commands = new Map(found.map(([stream, events]) => [stream, factsOf(events).filter((fact) => !isEnd(fact))]))
  const expected = new Map([...patients].map(([id, { facts }]) => [`patient-${id}`, facts]))
  const ends = found.flatMap(([stream, events]) =>
    factsOf(events)
      .filter(isEnd)
      .map((fact) => ({ id: stream.slice('patient-'.length), key: fact.slice('ConsentExpired '.length) })),
  )
  const once = new Set(ends.map(({ id, key }) => `${id} ${key}`))
  return [
    ...differencesOf(expected, commands),
    ...(once.size < ends.length ? ['a consent has come to its end twice'] : []),
    ...ends.flatMap(({ id, key }) => (patients.get(id)?.ending.has(key) ? [] : [`${id}: ${key} ended by itself`])),
  ]
}

export const checkStore = ({ streams }: StoreFold, model: Model, tally: Tally, since: number): void => {
  expectNone('streams are whole', wholeStreams(streams))
  expectNone('what was acknowledged is there once', acknowledgedOnce(streams, model.acknowledged))
  expectNone('loans are as was acknowledged', loansAsAcknowledged(streams, model))
  expectNone('consents are as was acknowledged', patientsAsAcknowledged(streams, model))
  tally.checked('acknowledged commands, each in the store once', model.acknowledged.length - since)
}
