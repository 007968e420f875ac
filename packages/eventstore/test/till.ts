// A small decider for the engine's tests: a till that takes and gives out money.
import { type Decider, Rejection } from '@headwater/deciders/decider'
import { type StreamType, streamType } from '@headwater/deciders/stream-type'

export type TillEvent =
  | { type: 'MoneyPutIn'; data: { amount: number } }
  | { type: 'MoneyTakenOut'; data: { amount: number } }
  | { type: 'TillClosed'; data: Record<string, never> }
export type TillCommand =
  | { type: 'PutIn'; amount: number }
  | { type: 'TakeOut'; amount: number }
  | { type: 'Close' }
  | { type: 'PutInBlob'; bytes: number }
export type Till = { amount: number; closed: boolean }

const till: Decider<TillCommand, TillEvent, Till> = {
  initialState: { amount: 0, closed: false },
  decide: (command, state) => {
    switch (command.type) {
      case 'PutIn':
        if (state.closed) throw new Rejection('till_closed', 'The till is closed.')
        return [{ type: 'MoneyPutIn', data: { amount: command.amount } }]
      case 'TakeOut':
        if (state.amount < command.amount) throw new Rejection('not_enough', 'There is not enough in the till.')
        return [{ type: 'MoneyTakenOut', data: { amount: command.amount } }]
      case 'Close':
        return state.closed ? [] : [{ type: 'TillClosed', data: {} }]
      case 'PutInBlob':
        return [{ type: 'MoneyPutIn', data: Object.assign({ amount: 0 }, { blob: 'x'.repeat(command.bytes) }) }]
    }
  },
  evolve: (state, event) => {
    switch (event.type) {
      case 'MoneyPutIn':
        return { ...state, amount: state.amount + event.data.amount }
      case 'MoneyTakenOut':
        return { ...state, amount: state.amount - event.data.amount }
      case 'TillClosed':
        return { ...state, closed: true }
    }
  },
  isTerminal: (state) => state.closed,
}

export const tillStream = (category: string): StreamType<TillCommand, TillEvent, Till> =>
  streamType({
    category,
    events: { schemas: { MoneyPutIn: true, MoneyTakenOut: true, TillClosed: true }, upcasts: {} },
    decider: till,
  })
