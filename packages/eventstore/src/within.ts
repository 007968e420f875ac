// Limits the wait for work; the work itself continues, or ends by its own limits.

/** @throws the error of `late` when the work has not settled within `timeoutMs` */
export const within = async <Result>(timeoutMs: number, work: Promise<Result>, late: () => Error): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
