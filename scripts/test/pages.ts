// Before any test: the pages are built from what is there now.
import { buildWeb } from '../build-web.ts'

export const setup = buildWeb
