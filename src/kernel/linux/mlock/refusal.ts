/** Why a process is left alone. `later`: at this moment only; `never`: as it is; `gone`: it has ended. */
export class TargetRefusal extends Error {
  constructor(
    readonly kind: 'later' | 'never' | 'gone',
    sentence: string,
    cause?: unknown,
  ) {
    super(sentence, { cause });
  }
}
