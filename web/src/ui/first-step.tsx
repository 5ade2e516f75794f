import { CodeBlock } from './copy'

/** What an empty list says of how its first entry is made: a sentence, and a command that can be pasted. */
export function FirstStep({ what, label, code }: { what: string; label: string; code: string }) {
  return (
    <>
      <p>{what}</p>
      <CodeBlock label={label} code={code} />
    </>
  )
}
