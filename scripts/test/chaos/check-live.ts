// Checks that the pictures of live clients, which were followed through everything, are what a client sees that comes now.
import { followTopic, type LiveClient } from '@headwater/test-kit/live-client'
import { until } from '@headwater/test-kit/system'
import { differencesOf, expectNone } from './differences.ts'
import { doctors } from './workload.ts'
import type { World } from './world.ts'

type Topic = {
  readonly name: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
}

export type LiveChecks = {
  readonly check: () => Promise<void>
  readonly clients: () => readonly LiveClient[]
  readonly stop: () => Promise<void>
}

/** @param patientId whose consents are followed, by the patient */
export const openLiveChecks = async (
  { viewersUrl, system, asUnderwriter, asPerson, tally }: World,
  patientId: string,
): Promise<LiveChecks> => {
  const asPatient = await asPerson(patientId)
  const topics: readonly Topic[] = [
    { name: 'loans', key: 'loanId', headers: asUnderwriter },
    { name: 'underwriting', key: 'loanId', headers: asUnderwriter },
    { name: 'consents', key: 'consentId', headers: asPatient },
    { name: 'consent-requests', key: 'consentId', headers: asPatient },
    { name: 'granted-consents', key: 'consentId', headers: await asPerson(doctors[0], ['doctor']) },
  ]
  const follow = ({ name, key, headers }: Topic, url: string) =>
    followTopic(url, name, (row) => String(row[key]), headers)
  const followed = topics.map((topic) => ({ topic, client: follow(topic, viewersUrl) }))

  const differences = async (topic: Topic, client: LiveClient): Promise<readonly string[]> => {
    const fresh = follow(topic, system.gateway.url)
    try {
      await until(`a fresh client of ${topic.name} has its snapshot`, () => fresh.snapshots() > 0)
      return differencesOf(fresh.picture(), client.picture())
    } finally {
      await fresh.stop()
    }
  }

  return {
    check: async () => {
      for (const { topic, client } of followed) {
        const same = async () => (await differences(topic, client)).length === 0
        await until('the picture is the read model', same).catch(async () =>
          expectNone(`the live picture of ${topic.name}`, await differences(topic, client)),
        )
        tally.checked(`rows of the live picture of ${topic.name}`, client.picture().size)
      }
    },
    clients: () => followed.map(({ client }) => client),
    stop: async () => {
      for (const { client } of followed) await client.stop()
    },
  }
}
