// Makes the next release of a service: loaded before its main.ts, it raises the versions of two read models where they are read.
import { registerHooks } from 'node:module'

const raised = /\/read-models\/src\/loan\/(loans|underwriting)\.ts$/
const declaration = /(?<=\bversion: )\d+/

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    if (!raised.test(url)) return loaded
    const source = new TextDecoder().decode(loaded.source as Uint8Array)
    if (!declaration.test(source)) throw new Error(`${url} declares no version.`)
    return { ...loaded, source: source.replace(declaration, (version) => String(Number(version) + 1)) }
  },
})
