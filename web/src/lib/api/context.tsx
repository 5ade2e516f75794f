import { createContext, useContext } from 'react'
import type { ApiClient } from './client'
import type { Whoami } from './types'

/** What every signed-in page has at hand. */
export interface Signed {
  api: ApiClient
  caller: Whoami
}

const SignedContext = createContext<Signed | undefined>(undefined)

export const SignedProvider = SignedContext.Provider

export function useSigned(): Signed {
  const value = useContext(SignedContext)
  if (!value) throw new Error('useSigned outside a signed-in page')
  return value
}

export function useApi(): ApiClient {
  return useSigned().api
}
