// A toy context for the tests of processes: accounts, orders, and transfers of money that orders ask for.
import { context } from '@headwater/deciders/context'
import { Rejection } from '@headwater/deciders/decider'
import { on, process, step } from '@headwater/deciders/process'
import { streamType } from '@headwater/deciders/stream-type'

const typesOf = <const Type extends string>(...types: readonly Type[]) => ({
  schemas: Object.fromEntries(types.map((type) => [type, true])) as Record<Type, unknown>,
  upcasts: {},
})

type Posting = { readonly transferId: string; readonly amount: number }
type AccountEvent =
  | { readonly type: 'PutIn' | 'TakenOut'; readonly data: Posting }
  | { readonly type: 'Closed' | 'MadeBusy' | 'Freed'; readonly data: object }
export type AccountCommand =
  | { readonly type: 'PutIn' | 'TakeOut'; readonly data: Posting }
  | { readonly type: 'Close' }
  | { readonly type: 'MakeBusy' }
  | { readonly type: 'Free' }
export type AccountState = { readonly balance: number; readonly isClosed: boolean; readonly isBusy: boolean }

export type TransferData = {
  readonly from: string
  readonly to: string
  readonly amount: number
  readonly lapsesAt: string
}
type TransferEvent =
  | { readonly type: 'Requested'; readonly data: TransferData }
  | { readonly type: 'Failed' | 'RefundStarted'; readonly data: { readonly code: string } }
  | { readonly type: 'Approved' | 'TakenFromSource' | 'Completed' | 'Refunded' | 'Lapsed'; readonly data: object }
export type TransferCommand =
  | { readonly type: 'Request'; readonly data: TransferData }
  | { readonly type: 'Approve' | 'RecordTakenOut' | 'RecordPutIn' | 'RecordRefund' | 'Lapse' | 'Ignore' }
  | { readonly type: 'RecordFailure' | 'StartRefund'; readonly data: { readonly code: string } }
export type TransferState = {
  readonly requested?: TransferData
  readonly isApproved: boolean
  readonly status: 'waiting' | 'taken out' | 'refunding' | 'completed' | 'failed' | 'refunded' | 'lapsed'
}

/** The id of the transfer between these accounts: a test makes one for each pair. */
export const transferIdOf = (from: string, to: string): string => `${from}.${to}`

/** Streams of a test's own. @param suffix of the categories */
export const toyBank = (suffix: string) => {
  const accountStream = streamType<AccountCommand, AccountEvent, AccountState>({
    category: `account${suffix}`,
    events: typesOf('PutIn', 'TakenOut', 'Closed', 'MadeBusy', 'Freed'),
    decider: {
      initialState: { balance: 0, isClosed: false, isBusy: false },
      decide: (command, { balance, isClosed, isBusy }) => {
        if (command.type === 'Close') return [{ type: 'Closed', data: {} }]
        if (command.type === 'MakeBusy') return [{ type: 'MadeBusy', data: {} }]
        if (command.type === 'Free') return [{ type: 'Freed', data: {} }]
        if (isBusy) throw new Rejection('account_busy', 'Try again.')
        if (isClosed) throw new Rejection('account_closed', 'It is closed.')
        if (command.type === 'PutIn') return [{ type: 'PutIn', data: command.data }]
        if (command.data.amount > balance) throw new Rejection('insufficient_funds', 'There is too little.')
        return [{ type: 'TakenOut', data: command.data }]
      },
      evolve: (state, event) => {
        if (event.type === 'Closed') return { ...state, isClosed: true }
        if (event.type === 'MadeBusy' || event.type === 'Freed') return { ...state, isBusy: event.type === 'MadeBusy' }
        const { amount } = event.data as Posting
        return { ...state, balance: state.balance + (event.type === 'PutIn' ? amount : -amount) }
      },
      isTerminal: ({ isClosed }) => isClosed,
    },
  })

  type OrderData = TransferData & { readonly transferId: string }
  type OrderEvent =
    | { readonly type: 'OrderPlaced'; readonly data: OrderData }
    | { readonly type: 'OrderApproved'; readonly data: OrderData }
  const orderStream = streamType<OrderEvent, OrderEvent, null>({
    category: `order${suffix}`,
    events: typesOf('OrderPlaced', 'OrderApproved'),
    decider: { initialState: null, decide: (event) => [event], evolve: () => null, isTerminal: () => false },
  })

  const isTerminal = ({ status }: TransferState) => ['completed', 'failed', 'refunded', 'lapsed'].includes(status)
  const transferStream = streamType<TransferCommand, TransferEvent, TransferState>({
    category: `transfer${suffix}`,
    events: typesOf(
      'Requested',
      'Approved',
      'TakenFromSource',
      'Completed',
      'Failed',
      'RefundStarted',
      'Refunded',
      'Lapsed',
    ),
    decider: {
      initialState: { isApproved: false, status: 'waiting' },
      // Every input may come late, twice, or before another: what is no longer to be said leads to nothing.
      decide: (command, { requested, isApproved, status }) => {
        const isWaiting = status === 'waiting'
        switch (command.type) {
          case 'Request':
            return requested ? [] : [{ type: 'Requested', data: command.data }]
          case 'Approve':
            return isApproved || !isWaiting ? [] : [{ type: 'Approved', data: {} }]
          case 'RecordTakenOut':
            return isWaiting ? [{ type: 'TakenFromSource', data: {} }] : []
          case 'RecordFailure':
            return isWaiting ? [{ type: 'Failed', data: command.data }] : []
          case 'RecordPutIn':
            return status === 'taken out' ? [{ type: 'Completed', data: {} }] : []
          case 'StartRefund':
            return status === 'taken out' ? [{ type: 'RefundStarted', data: command.data }] : []
          case 'RecordRefund':
            return status === 'refunding' ? [{ type: 'Refunded', data: {} }] : []
          case 'Lapse':
            return isWaiting && !isApproved ? [{ type: 'Lapsed', data: {} }] : []
          case 'Ignore':
            return []
        }
      },
      evolve: (state, event) => {
        switch (event.type) {
          case 'Requested':
            return { ...state, requested: event.data as TransferData }
          case 'Approved':
            return { ...state, isApproved: true }
          case 'TakenFromSource':
            return { ...state, status: 'taken out' }
          case 'RefundStarted':
            return { ...state, status: 'refunding' }
          default:
            return { ...state, status: event.type.toLowerCase() as TransferState['status'] }
        }
      },
      isTerminal,
    },
  })

  const post = (
    name: string,
    id: string,
    type: 'PutIn' | 'TakeOut',
    posting: Posting,
    accepted: TransferCommand,
    refused: (code: string) => TransferCommand,
  ) =>
    step<TransferCommand, AccountCommand, AccountEvent, AccountState>({
      name,
      stream: accountStream,
      id,
      command: () => ({ type, data: posting }),
      accepted: () => accepted,
      refused: (_at, code) => refused(code),
    })

  const transferProcess = process<TransferCommand, TransferEvent, TransferState>({
    stream: transferStream,
    transient: ['account_busy'],
    inputs: [
      on(orderStream, 'OrderPlaced', ({ data: { transferId, ...data } }) => [
        { id: transferId, command: { type: 'Request', data } },
      ]),
      on(orderStream, 'OrderApproved', ({ data }) => [{ id: data.transferId, command: { type: 'Approve' } }]),
    ],
    next: ({ requested, isApproved, status }) => {
      if (!requested) return []
      const { from, to, amount, lapsesAt } = requested
      const posting = { transferId: transferIdOf(from, to), amount }
      if (status === 'waiting' && !isApproved)
        return [
          step<TransferCommand, TransferCommand, TransferEvent, TransferState>({
            name: 'lapse',
            stream: transferStream,
            id: posting.transferId,
            command: () => ({ type: 'Lapse' }),
            dueAt: lapsesAt,
            accepted: () => ({ type: 'Ignore' }),
            refused: () => ({ type: 'Ignore' }),
          }),
        ]
      if (status === 'waiting')
        return [
          post('take out', from, 'TakeOut', posting, { type: 'RecordTakenOut' }, (code) => ({
            type: 'RecordFailure',
            data: { code },
          })),
        ]
      if (status === 'taken out')
        return [
          post('put in', to, 'PutIn', posting, { type: 'RecordPutIn' }, (code) => ({
            type: 'StartRefund',
            data: { code },
          })),
        ]
      if (status === 'refunding')
        return [post('refund', from, 'PutIn', posting, { type: 'RecordRefund' }, () => ({ type: 'RecordRefund' }))]
      return []
    },
  })
  const bank = context({
    name: 'bank',
    streams: [accountStream, orderStream, transferStream],
    processes: [transferProcess],
  })
  return { accountStream, orderStream, transferStream, bank }
}
