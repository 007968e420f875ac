// The smallest decider that can go on for ever, for streams of any length: a loan is over after four events.

import type { Decider } from '@headwater/deciders/decider'
import { streamType } from '@headwater/deciders/stream-type'

type Fields = { readonly accountId: string; readonly amount: number; readonly reference: string; readonly at: string }

export type Deposit = { readonly type: 'Deposit'; readonly data: Fields }
type Deposited = { readonly type: 'Deposited'; readonly data: Fields }
type AccountState = { readonly balance: number; readonly deposits: number }

const account: Decider<Deposit, Deposited, AccountState> = {
  initialState: { balance: 0, deposits: 0 },
  decide: ({ data }) => [{ type: 'Deposited', data }],
  evolve: ({ balance, deposits }, { data }) => ({ balance: balance + data.amount, deposits: deposits + 1 }),
  isTerminal: () => false,
}

const snapshot = {
  version: 1,
  everyEvents: 100,
  encode: (state: AccountState) => state,
  decode: (state: AccountState) => state,
}

export const accountStream = {
  ...streamType({ category: 'account', events: { schemas: { Deposited: undefined }, upcasts: {} }, decider: account }),
  snapshot,
}
