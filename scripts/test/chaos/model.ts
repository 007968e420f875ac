// What the system has acknowledged, kept in the plainest way: all of it must be there, once, whatever was broken.

/** The answer to a command. */
export type Acknowledged = {
  readonly stream: string
  /** Of the command's last event; undefined where the answer does not say it. */
  readonly revision: number | undefined
  readonly position: string
  /** The command's first event, as {@link factOf} says it. */
  readonly fact: string
}

export type Decision = 'approve' | 'deny' | 'withdraw' | 'none'

export type LoanModel = { readonly isPartners: boolean; decision: Decision }

/** A patient's record as the people who work on it believe it to be. */
export type PatientModel = {
  /** What was acknowledged, in its order. */
  readonly facts: string[]
  /** `doctor:dora exams`, by who may see what. */
  readonly granted: Set<string>
  readonly asked: Set<string>
  /** As granted, for those whose consent comes to an end by itself. */
  readonly ending: Set<string>
}

export type Model = {
  readonly acknowledged: Acknowledged[]
  readonly loans: Map<string, LoanModel>
  readonly patients: Map<string, PatientModel>
}

export const newModel = (): Model => ({ acknowledged: [], loans: new Map(), patients: new Map() })

export const newPatient = (): PatientModel => ({
  facts: [],
  granted: new Set(),
  asked: new Set(),
  ending: new Set(),
})

type Person = { readonly kind: string; readonly id: string }

/** An event in a few words: what it says besides times. */
export const factOf = (type: string, data: unknown): string => {
  const { by, to, from, target } = data as Partial<Record<'by' | 'to' | 'from', Person>> & { readonly target?: string }
  const whose = by ?? to ?? from
  return whose ? `${type} ${whose.kind}:${whose.id} ${target}` : type
}
