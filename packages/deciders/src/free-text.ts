// Finds text in a schema that no shared field schema (fields.ts) checks.
import type { z } from 'zod'
import { fields } from './fields.ts'

/** The paths of fields, such as `by.id`, that accept any text or any value. */
export const freeText = (schema: z.core.$ZodType, path = ''): readonly string[] => {
  if (fields.get(schema)) return []
  const { def } = schema._zod as z.core.$ZodTypes['_zod']
  switch (def.type) {
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'date':
    case 'null':
    case 'undefined':
    case 'void':
    case 'never':
    case 'nan':
    case 'enum':
    case 'literal':
      return []
    case 'object':
      return [
        ...Object.entries(def.shape).flatMap(([name, one]) => freeText(one, path === '' ? name : `${path}.${name}`)),
        ...(def.catchall ? freeText(def.catchall, `${path}.*`) : []),
      ]
    case 'array':
      return freeText(def.element, `${path}[]`)
    case 'record':
      return [def.keyType, def.valueType].flatMap((one) => freeText(one, `${path}.*`))
    case 'union':
      return def.options.flatMap((one) => freeText(one, path))
    case 'intersection':
      return [def.left, def.right].flatMap((one) => freeText(one, path))
    case 'tuple':
      return [
        ...def.items.flatMap((one, index) => freeText(one, `${path}[${index}]`)),
        ...(def.rest ? freeText(def.rest, `${path}[]`) : []),
      ]
    case 'pipe':
      return freeText(def.in._zod.def.type === 'transform' ? def.out : def.in, path)
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return freeText(def.innerType, path)
    default:
      return [path]
  }
}
