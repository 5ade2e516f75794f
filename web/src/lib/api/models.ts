import { useQuery } from '@tanstack/react-query'
import { useApi } from './context'
import type { App, Model } from './types'

/** The models that can be called, by name. */
export function useModels() {
  const api = useApi()
  return useQuery({
    queryKey: ['models'],
    queryFn: async ({ signal }) => (await api.list<Model>('/openai/v1/models', undefined, signal)).items,
    staleTime: 60_000,
  })
}

export function useApps() {
  const api = useApi()
  return useQuery({
    queryKey: ['apps'],
    queryFn: async ({ signal }) => (await api.list<App>('/api/v1/apps', { limit: 100 }, signal)).items,
    staleTime: 30_000,
  })
}

/** Whether a model can hold a conversation, by its type or else by its name. */
export function canChat(model: Model): boolean {
  return model.type ? model.type === 'chat' : !/embed|rerank|whisper|tts/i.test(model.id)
}
