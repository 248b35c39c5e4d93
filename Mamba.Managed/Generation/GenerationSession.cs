using System.Runtime.InteropServices;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Generation;

/// <summary>A text being generated: the model's state, the tokens so far, and the random numbers. It is passive: it never calls an executor.</summary>
/// <remarks>
/// <code>
/// tokens:  | prompt ............ | generated ..... | last |
///          | State has seen these, Position of them | Waiting |
/// </code>
/// The driver of a session, for example <see cref="GenerationEngine"/>, feeds <see cref="Waiting"/> to <see cref="State"/> through an executor and
/// passes the logits of the last token to <see cref="Accept"/>, which chooses the next one. How tokens are chosen belongs to the request, so that a
/// conversation may be continued with other options each time. A session can be forked, saved, and restored: it then continues with the same random
/// numbers and the same text. Beside its state it takes four bytes a token. A session is used by one thread at a time.
/// </remarks>
public sealed class GenerationSession : IDisposable
{
    private List<int> tokens;

    // Where prompts and generated tokens alternate: [p, q, r] means a prompt up to token p, generated tokens up to q, a prompt up to r, and generated
    // tokens after it.
    private List<int> turns;
    private SplitMix64 random;
    private int isDriven;

    // Where the state is known to come from the first tokens alone; -1 where it may be anything.
    private long ownPosition = -1;

    // Whose counts agree with this text, and up to which token.
    private Sampler? counting;
    private int counted;

    /// <summary>A session of a new text, or of one that continues from a state.</summary>
    /// <param name="state">Has seen the first <see cref="SequenceState.Position"/> of <paramref name="tokens"/>. The session disposes it.</param>
    /// <param name="tokens">The text so far, none of it generated; empty for a new text.</param>
    /// <param name="seed">The same seed gives the same random numbers; null draws one.</param>
    /// <exception cref="ArgumentException">A token is out of range, or the state has seen more tokens than there are.</exception>
    public GenerationSession(SequenceState state, ReadOnlySpan<int> tokens = default, ulong? seed = null)
        : this(state, [.. tokens], [], default)
    {
        CheckIds(tokens);
        if (state.Position > tokens.Length)
        {
            Throw.Argument(
                Throw.Invariant($"expected a state that has seen at most the {tokens.Length} tokens of the text, found one that has seen {state.Position}"), nameof(state));
        }

        Reseed(seed ?? (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue));
    }

    internal GenerationSession(SequenceState state, List<int> tokens, List<int> turns, SplitMix64 random)
    {
        ArgumentNullException.ThrowIfNull(state);
        (State, this.tokens, this.turns, this.random) = (state, tokens, turns, random);
    }

    /// <summary>The seed that the random numbers began with.</summary>
    public ulong Seed { get; internal set; }

    /// <summary>The text so far: what was appended and what was generated.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(tokens);

    /// <summary>The model's state after all tokens except <see cref="Waiting"/>.</summary>
    public SequenceState State { get; }

    /// <summary>The tokens that the state has not seen yet, to be fed next.</summary>
    /// <exception cref="InvalidOperationException">The state has been given tokens that are not the session's.</exception>
    public ReadOnlySpan<int> Waiting => State.Position <= tokens.Count
        ? Tokens[(int)State.Position..]
        : throw new InvalidOperationException(Throw.Invariant(
            $"expected a state that has seen at most the {tokens.Count} tokens of the session, found one that has seen {State.Position}; rewind the session"));

    /// <summary>Whether an engine has computed the state from the first tokens, or it is a new one: what was restored or brought along may be anything.</summary>
    internal bool IsOwnState => ownPosition == State.Position || (State.Position == 0 && State is CpuState { IsInitial: true });

    /// <summary>Text that a stream had not returned when it was stopped within a character or a possible stop string; the next stream returns it.</summary>
    internal HeldText Held { get; set; } = HeldText.None;

    /// <summary>Begins the random numbers anew.</summary>
    /// <param name="seed">The same seed gives the same random numbers.</param>
    public void Reseed(ulong seed) => (Seed, random) = (seed, new SplitMix64(seed));

    /// <summary>Adds tokens to the text; they wait until they are fed.</summary>
    /// <param name="prompt">[tokens]; an empty prompt changes nothing. An id beyond the model's vocabulary is rejected later by the executor.</param>
    /// <exception cref="ArgumentException">An id is negative.</exception>
    public void Append(ReadOnlySpan<int> prompt)
    {
        CheckIds(prompt);
        if (!prompt.IsEmpty)
        {
            Turn(toGenerated: false);
            tokens.AddRange(prompt);
            Held = HeldText.None;
        }
    }

    /// <summary>Chooses the next token and appends it to the text, to be fed next.</summary>
    /// <param name="logits">[at least the sampler's vocabulary]: of the last of <see cref="Tokens"/>, which the state has seen.</param>
    /// <param name="sampler">How it is chosen.</param>
    /// <param name="scratch">The driver's buffers.</param>
    /// <returns>The token.</returns>
    /// <exception cref="InvalidOperationException">Some tokens were not fed yet, or the text is empty.</exception>
    /// <exception cref="InvalidDataException">The logits are not finite, or every token is forbidden; nothing has changed.</exception>
    public int Accept(ReadOnlySpan<float> logits, Sampler sampler, SamplerScratch scratch)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        if (tokens.Count == 0 || State.Position != tokens.Count)
        {
            throw new InvalidOperationException(Throw.Invariant(
                $"expected a state that has seen every token, at least one; found {tokens.Count} tokens of which it has seen {State.Position}; append or feed them first"));
        }

        if (logits.Length < sampler.VocabularySize)
        {
            Throw.Argument(Throw.Invariant($"expected at least {sampler.VocabularySize} logits, found {logits.Length}"), nameof(logits));
        }

        Count(sampler);
        int token = sampler.Sample(logits[..sampler.VocabularySize], ref random, scratch);
        AddGenerated(token);
        return token;
    }

    /// <summary>A copy of the session with the same text, random numbers and counts; both continue independently.</summary>
    /// <param name="state">A new state of the same model, which becomes a copy of this session's; the fork disposes it.</param>
    /// <exception cref="ArgumentException">The state is one of another model.</exception>
    public GenerationSession Fork(SequenceState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.CopyFrom(State);
        return new(state, [.. tokens], [.. turns], random) { Seed = Seed, Held = Held, ownPosition = IsOwnState ? State.Position : -1 };
    }

    /// <summary>Writes the session, with its state, random numbers and counts.</summary>
    /// <param name="stream">The destination.</param>
    /// <param name="fingerprint">The model that the session belongs to.</param>
    /// <param name="type">How the state is stored: exactly, or as float16 in half the bytes, see <see cref="SavedState.Save"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="type"/> is another one.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public void Save(Stream stream, ModelFingerprint fingerprint, ElementType type = ElementType.Float32) =>
        State.Save(stream, fingerprint, SavedSession.Encode(this), type);

    /// <summary>Restores a session that <see cref="Save"/> wrote.</summary>
    /// <param name="stream">The source, at the first byte of the saved session.</param>
    /// <param name="fingerprint">The model that the session belongs to.</param>
    /// <param name="state">A new state of that model; the session disposes it. Not changed by a call that throws.</param>
    /// <exception cref="InvalidDataException">The bytes are no saved session, of another version or model, truncated or damaged.</exception>
    public static GenerationSession Restore(Stream stream, ModelFingerprint fingerprint, SequenceState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        (byte[] bytes, float[] values, long position) = SavedState.Read(state.Layout, stream, fingerprint);
        Throw.Unless(bytes.Length > 0, $"expected a saved session, found a state alone; restore it as one and give its tokens to a new session");
        GenerationSession session = SavedSession.Decode(bytes, state, position);
        state.Import(values, position);
        return session;
    }

    /// <summary>Resets the state, so that all tokens are fed again; the results are the same bits.</summary>
    public void Rewind()
    {
        State.Clear();
        MarkOwn();
    }

    /// <summary>Takes over the text and the state of a session that has gone on from this one's text, for example of a fork.</summary>
    /// <param name="other">Its text begins with all tokens of this session. Not changed.</param>
    /// <remarks>
    /// Two texts that have parted cannot be merged: a state is no sum of what was read, and the order of the tokens counts. Append the tokens of one to
    /// the other, so that the model reads them. Random numbers and seed stay this session's own.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The texts part; the message says where. Nothing has changed.</exception>
    /// <exception cref="ArgumentException">The states are those of different models.</exception>
    public void Merge(GenerationSession other)
    {
        ArgumentNullException.ThrowIfNull(other);
        int shared = Tokens.CommonPrefixLength(other.Tokens);
        if (shared < tokens.Count)
        {
            throw new InvalidOperationException(Throw.Invariant(
                $"expected a text that begins with the {tokens.Count} tokens of this session, found one of {other.tokens.Count} tokens that parts from it at token {shared}; states cannot be merged: append the tokens of one session to the other"));
        }

        if (other != this)
        {
            State.CopyFrom(other.State);
            ownPosition = other.IsOwnState ? State.Position : -1;
            (counting, Held) = (null, other.Held);
            (tokens, turns) = ([.. other.tokens], [.. other.turns]);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => State.Dispose();

    /// <summary>Truncates the text to its first tokens; if the state has seen more of them, it is reset, and all of them wait again.</summary>
    /// <param name="count">The number of tokens that stay.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many.</exception>
    public void Withdraw(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, tokens.Count);
        CollectionsMarshal.SetCount(tokens, count);
        turns.RemoveAll(turn => turn >= count);
        counting = null;
        if (State.Position > count)
        {
            Rewind();
        }
    }

    /// <summary>The state is what an engine computed from the tokens that it has seen.</summary>
    internal void MarkOwn() => ownPosition = State.Position;

    /// <summary>Marks the session as driven; throws if it is driven already.</summary>
    /// <exception cref="InvalidOperationException">Another stream is continuing this session.</exception>
    internal void Enter()
    {
        if (Interlocked.Exchange(ref isDriven, 1) != 0)
        {
            throw new InvalidOperationException("expected a session that nobody else continues, found one that another stream continues; end that stream first, or fork the session");
        }
    }

    /// <summary>Ends the mark of <see cref="Enter"/>.</summary>
    internal void Leave() => Volatile.Write(ref isDriven, 0);

    internal ulong RandomState => random.State;

    internal IReadOnlyList<int> Turns => turns;

    /// <summary>Appends a token that the model has generated.</summary>
    internal void AddGenerated(int token)
    {
        Turn(toGenerated: true);
        tokens.Add(token);
    }

    // Brings a sampler's counts up to date with the text.
    private void Count(Sampler sampler)
    {
        if (!sampler.IsCounting)
        {
            return;
        }

        if (counting != sampler)
        {
            sampler.Forget();
            (counting, counted) = (sampler, 0);
        }

        bool isGenerated = false;
        for (int at = counted, turn = 0; at < tokens.Count; at++)
        {
            for (; turn < turns.Count && turns[turn] <= at; turn++)
            {
                isGenerated = !isGenerated;
            }

            sampler.Observe(tokens[at], isGenerated);
        }

        counted = tokens.Count;
    }

    private static void CheckIds(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if (id < 0)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 on, found {id}"), nameof(ids));
            }
        }
    }

    private void Turn(bool toGenerated)
    {
        if ((turns.Count % 2 == 1) != toGenerated)
        {
            turns.Add(tokens.Count);
        }
    }
}
