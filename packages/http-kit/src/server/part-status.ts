// How a part of a service is, for its readiness.

/**
 * How a part of the service is: `trouble` is a sentence when something is wrong, `serves` says that it does its work all
 * the same, `ended` that it will not go on without an operator; other facts are shown as they are.
 */
export type PartStatus = {
  readonly trouble?: string | undefined
  readonly serves?: boolean | undefined
  readonly ended?: boolean | undefined
  readonly [fact: string]: unknown
}
