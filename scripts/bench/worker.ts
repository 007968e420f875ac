// The far end of a worker process: serves named tasks over the channel to the bench until the bench lets go.

export type Tasks = Readonly<Record<string, (input: never) => Promise<unknown>>>

/** The message that ends a worker. */
export const stopWorker = 'stop'

export type Call = { readonly id: number; readonly name: string; readonly input: unknown }
export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string }

export const serveTasks = (tasks: Tasks): void => {
  const answer = async ({ id, name, input }: Call): Promise<Answer> => {
    try {
      const task = tasks[name]
      if (!task) throw new Error(`There is no task ${name}.`)
      return { id, value: await task(input as never) }
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) }
    }
  }
  process.on('message', async (call: Call | typeof stopWorker) => {
    // By exit: a profile is written, and nothing that is still open keeps the process.
    if (call === stopWorker) process.exit(0)
    const message = await answer(call)
    process.send?.(message)
  })
  // The bench is gone.
  process.on('disconnect', () => process.exit(0))
}
