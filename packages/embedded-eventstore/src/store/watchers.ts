// Wakes the subscriptions that a commit concerns; they read the events from the database.

export const createWatchers = () => {
  const ofAll = new Set<() => void>()
  const ofStream = new Map<string, Set<() => void>>()

  const watchAll = (wake: () => void): (() => void) => {
    ofAll.add(wake)
    return () => ofAll.delete(wake)
  }

  const watchStream = (streamName: string, wake: () => void): (() => void) => {
    const watching = ofStream.get(streamName) ?? new Set()
    ofStream.set(streamName, watching.add(wake))
    return () => {
      watching.delete(wake)
      if (watching.size === 0 && ofStream.get(streamName) === watching) ofStream.delete(streamName)
    }
  }

  const committed = (streamNames: Iterable<string>): void => {
    for (const wake of ofAll) wake()
    if (ofStream.size === 0) return
    for (const streamName of streamNames) {
      for (const wake of ofStream.get(streamName) ?? []) wake()
    }
  }

  return { watchAll, watchStream, committed }
}
