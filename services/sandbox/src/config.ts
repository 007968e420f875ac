// The sandbox's settings.
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object(serverSettings(8090))
