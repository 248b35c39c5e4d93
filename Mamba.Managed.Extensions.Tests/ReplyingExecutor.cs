using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>An executor of a model that says what a test wants: after each prompt a reply, then the end token. What a constraint forbids it cannot say.</summary>
internal sealed class ReplyingExecutor(IMambaExecutor below, Func<string, string> reply) : IMambaExecutor
{
    private readonly ConditionalWeakTable<SequenceState, Turn> turns = [];

    /// <summary>The prompts of finished turns, as they were fed.</summary>
    public ConcurrentQueue<string> Prompts { get; } = [];

    /// <summary>Called before each pass.</summary>
    public Action Before { get; set; } = () => { };

    public MambaConfig Config => below.Config;

    public ModelFingerprint Fingerprint => below.Fingerprint;

    public int MaxRows => below.MaxRows;

    public SequenceState CreateState() => below.CreateState();

    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        Before();
        below.Run(tokens, batch, logits);
        int at = 0, row = 0;
        foreach (SequenceInput input in batch)
        {
            Turn turn = turns.GetOrCreateValue(input.State);
            if (input.Length > 1 || turn.Said is null)
            {
                turn.Prompt.AddRange(tokens.Slice(at, input.Length));
            }

            if (input.LogitCount > 0)
            {
                if (input.Length > 1 || turn.Said is null)
                {
                    string prompt = Encoding.UTF8.GetString([.. turn.Prompt.Where(token => token < 256).Select(token => (byte)token)]);
                    Prompts.Enqueue(prompt);
                    turn.Prompt.Clear();
                    (turn.Said, turn.Count) = (Encoding.UTF8.GetBytes(reply(prompt)), 0);
                }

                logits[(row * Config.VocabSize) + (turn.Count < turn.Said.Length ? turn.Said[turn.Count] : EndingBytes.End)] += 1000;
                turn.Count++;
                row++;
            }

            at += input.Length;
        }
    }

    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits, Span<float> hidden)
    {
        if (hidden.IsEmpty)
        {
            Run(tokens, batch, logits);
        }
        else
        {
            below.Run(tokens, batch, logits, hidden);
        }
    }

    public void Dispose() => below.Dispose();

    private sealed class Turn
    {
        public List<int> Prompt { get; } = [];

        public byte[]? Said { get; set; }

        public int Count { get; set; }
    }
}
