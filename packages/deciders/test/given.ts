// given(events).when(command) reads like the tested rule: `.then(events)`, `.refused(code)`.

import { expect } from 'vitest'
import { type Decider, type DomainEvent, fold, Rejection } from '../src/decider.ts'

export const specification =
  <Command, Event extends DomainEvent, State>(decider: Decider<Command, Event, State>) =>
  (...events: readonly Event[]) => ({
    when: (command: Command) => {
      const state = fold(decider, decider.initialState, events)
      return {
        // biome-ignore lint/suspicious/noThenProperty: given, when, then are the words of a specification
        then: (...expected: readonly Event[]) => expect(decider.decide(command, state)).toEqual(expected),
        thenTypes: (...expected: readonly Event['type'][]) =>
          expect(decider.decide(command, state).map(({ type }) => type)).toEqual(expected),
        refused: (code: string, details: Readonly<Record<string, unknown>> = {}) => {
          let refusal: unknown
          try {
            decider.decide(command, state)
          } catch (error) {
            refusal = error
          }
          expect(refusal).toBeInstanceOf(Rejection)
          expect(refusal).toMatchObject({ code, details })
        },
      }
    },
  })
