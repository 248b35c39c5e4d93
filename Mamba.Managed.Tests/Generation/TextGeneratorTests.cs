using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tests.Tokenizers;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Texts from a small random model: streams, reasons to end, sessions that go on.</summary>
public sealed class TextGeneratorTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };
    private static readonly GenerationOptions Seeded = new() { MaxTokens = 60, Seed = 3 };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();

    public void Dispose() => executor.Dispose();

    [Test]
    public async Task A_stream_is_the_whole_in_pieces()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { LogProbs = 3 });
        List<GeneratedToken> stream = await ToList(generator.StreamAsync("What"));
        GenerationResult whole = await generator.GenerateAsync("What");
        Assert.That(string.Concat(stream.Select(token => token.Text)), Is.EqualTo(whole.Text));
        Assert.That(stream.Select(token => token.Id), Is.EqualTo(whole.Tokens));
        Assert.That(whole.Text, Is.EqualTo(bytes.Decode([.. whole.Tokens])));
        Assert.That(stream.Select(token => token.Summary is not null), Is.EqualTo(Enumerable.Range(0, 60).Select(i => i == 59)));
        Assert.That(whole.FinishReason, Is.EqualTo(FinishReason.Length));
        Assert.That(whole.Summary, Has.Property(nameof(GenerationSummary.PromptTokens)).EqualTo(4).And.Property(nameof(GenerationSummary.GeneratedTokens)).EqualTo(60));
        Assert.That(whole.Summary.GeneratedTokensPerSecond, Is.GreaterThan(0));
        foreach (GeneratedToken token in stream)
        {
            Assert.That(token.Top.Select(top => top.LogProbability), Is.Ordered.Descending);
            Assert.That(token.LogProbability, Is.InRange(float.MinValue, token.Top[0].LogProbability));
            Assert.That(token.Top, Has.Count.EqualTo(3));
        }
    }

    [Test]
    public async Task Log_probabilities_are_those_of_the_model()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { Temperature = 0.3f, MaxTokens = 1, LogProbs = 5 });
        GeneratedToken token = (await ToList(generator.StreamAsync("abc"))).Single();
        float[] logits = new float[256];
        using SequenceState state = executor.CreateState();
        executor.Prefill(bytes.Encode("abc"), state, logits);
        double sum = logits.Sum(logit => Math.Exp(logit));
        Assert.That(token.LogProbability, Is.EqualTo(Math.Log(Math.Exp(logits[token.Id]) / sum)).Within(1e-5));
        Assert.That(token.Top.Select(top => top.Id), Is.EqualTo(Enumerable.Range(0, 256).OrderByDescending(id => logits[id]).Take(5)));
    }

    [Test]
    public async Task What_nobody_asked_for_is_not_reported()
    {
        using TextGenerator plain = new(executor, bytes, Seeded with { MaxTokens = 1 }), own = new(executor, bytes, Seeded with { MaxTokens = 1, LogProbs = 0 });
        GeneratedToken without = (await ToList(plain.StreamAsync("abc"))).Single(), with = (await ToList(own.StreamAsync("abc"))).Single();
        Assert.That((without.LogProbability, without.Top.Count), Is.EqualTo(((float?)null, 0)));
        Assert.That(with.LogProbability, Is.Negative);
        Assert.That(with.Top, Is.Empty);
    }

    [Test]
    public async Task A_seed_fixes_the_text()
    {
        GenerationResult first = await new TextGenerator(executor, bytes, Seeded).GenerateAsync("To be");
        using CpuExecutor threads = new(MambaLanguageModel.Create(Config, 1), 3);
        GenerationResult second = await new TextGenerator(threads, bytes, Seeded).GenerateAsync("To be");
        GenerationResult other = await new TextGenerator(executor, bytes, Seeded with { Seed = 4 }).GenerateAsync("To be");
        Assert.That(second.Text, Is.EqualTo(first.Text));
        Assert.That(other.Text, Is.Not.EqualTo(first.Text));
    }

    [Test]
    public async Task A_stop_string_ends_the_text_before_it()
    {
        GenerationResult free = await new TextGenerator(executor, bytes, Seeded).GenerateAsync("What");
        string stop = free.Text.Substring(20, 3);
        int at = free.Text.IndexOf(stop, StringComparison.Ordinal);
        GenerationResult stopped = await new TextGenerator(executor, bytes, Seeded with { Stop = ["absent", stop] }).GenerateAsync("What");
        Assert.That(stopped.Text, Is.EqualTo(free.Text[..at]));
        Assert.That(stopped.FinishReason, Is.EqualTo(FinishReason.Stop));
        Assert.That(stopped.Tokens, Is.EqualTo(free.Tokens.Take(stopped.Tokens.Count)));
    }

    [Test]
    public async Task An_end_token_ends_the_text_and_is_no_text()
    {
        GenerationResult free = await new TextGenerator(executor, bytes, Seeded).GenerateAsync("What");
        int end = free.Tokens[30];
        int at = free.Tokens.ToList().IndexOf(end);
        GenerationResult ended = await new TextGenerator(executor, bytes, Seeded with { EndTokenIds = [end] }).GenerateAsync("What");
        Assert.That(ended.FinishReason, Is.EqualTo(FinishReason.EndToken));
        Assert.That(ended.Tokens, Is.EqualTo(free.Tokens.Take(at + 1)));
        Assert.That(ended.Text, Is.EqualTo(bytes.Decode([.. free.Tokens.Take(at)])));
    }

    [Test]
    public async Task A_conversation_goes_on_where_it_was()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { Temperature = 0, MaxTokens = 12 });
        using GenerationSession session = generator.CreateSession();
        GenerationResult first = await generator.GenerateAsync(session, "One ");
        GenerationResult second = await generator.GenerateAsync(session, " two");
        int[] text = [.. bytes.Encode("One "), .. first.Tokens, .. bytes.Encode(" two"), .. second.Tokens];
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(text));

        using GenerationSession fresh = generator.CreateSession();
        fresh.Append(text.AsSpan(0, text.Length - second.Tokens.Count));
        GenerationResult again = await generator.GenerateAsync(fresh, "");
        Assert.That(again.Tokens, Is.EqualTo(second.Tokens));
        GenerationResult third = await generator.GenerateAsync(session, ""), fourth = await generator.GenerateAsync(fresh, "");
        Assert.That(third.Tokens, Is.EqualTo(fourth.Tokens));
    }

    [Test]
    public async Task A_canceled_stream_leaves_a_session_that_has_seen_what_it_gave_out()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { Temperature = 0 });
        using GenerationSession session = generator.CreateSession();
        using CancellationTokenSource source = new();
        List<int> given = [];
        async Task Read()
        {
            await foreach (GeneratedToken token in generator.StreamAsync(session, "Stop me", source.Token))
            {
                given.Add(token.Id);
                if (given.Count == 9)
                {
                    await source.CancelAsync();
                }
            }
        }

        Assert.That(Read, Throws.InstanceOf<OperationCanceledException>());
        int[] expected = [.. bytes.Encode("Stop me"), .. given];
        Assert.That(given, Has.Count.EqualTo(9));
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(expected));
        AssertHasSeen(session, expected);
        GenerationResult rest = await generator.GenerateAsync(session, "");
        GenerationResult whole = await new TextGenerator(executor, bytes, Seeded with { Temperature = 0, MaxTokens = 69 }).GenerateAsync("Stop me");
        Assert.That(given.Concat(rest.Tokens), Is.EqualTo(whole.Tokens));
    }

    [Test]
    public async Task A_prompt_canceled_on_its_way_leaves_the_session_as_it_was()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { MaxTokens = 5 });
        using GenerationSession session = generator.CreateSession();
        await generator.GenerateAsync(session, "Some text");
        int[] before = session.Tokens.ToArray();
        Assert.That(
            async () => await generator.GenerateAsync(session, new string('x', 3000), new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(before));
        AssertHasSeen(session, before);
    }

    [Test]
    public async Task An_empty_prompt_needs_a_token_to_begin_from()
    {
        using TextGenerator generator = new(executor, bytes, Seeded);
        Assert.That(() => generator.StreamAsync(""), Throws.ArgumentException.With.Message.Contains("empty prompt"));
        Assert.That(() => generator.GenerateAsync(""), Throws.ArgumentException.With.Message.Contains("empty prompt"));

        using TextGenerator ended = new(executor, TokenizerTests.Small(), Seeded with { EndTokenIds = [] });
        GenerationResult result = await ended.GenerateAsync("");
        Assert.That(result.Summary.PromptTokens, Is.EqualTo(1));
        Assert.That(result.Tokens, Has.All.LessThan(TokenizerTests.Small().VocabularySize), "padding of the vocabulary is never chosen");
    }

    [Test]
    public void A_tokenizer_must_fit_the_model()
    {
        using CpuExecutor small = new(MambaLanguageModel.Create(Config with { VocabSize = 100 }, 1), 1);
        Assert.That(() => new TextGenerator(small, bytes), Throws.ArgumentException.With.Message.Contains("100"));
    }

    [Test]
    public async Task A_stream_enumerated_again_begins_again()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { MaxTokens = 10 });
        IAsyncEnumerable<GeneratedToken> stream = generator.StreamAsync("What");
        List<GeneratedToken> first = await ToList(stream), second = await ToList(stream);
        Assert.That(first, Has.Count.EqualTo(10));
        Assert.That(second.Select(token => token.Id), Is.EqualTo(first.Select(token => token.Id)));

        using GenerationSession session = generator.CreateSession();
        IAsyncEnumerable<GeneratedToken> turns = generator.StreamAsync(session, "What");
        Assert.That((await ToList(turns)).Select(token => token.Id), Is.EqualTo(first.Select(token => token.Id)));
        Assert.That(await ToList(turns), Has.Count.EqualTo(10));
        Assert.That(session.Tokens.ToArray().AsSpan(14, 4).ToArray(), Is.EqualTo(bytes.Encode("What")), "a second enumeration is a second turn");
    }

    [Test]
    public async Task A_session_has_one_driver_at_a_time()
    {
        using TextGenerator generator = new(executor, bytes, Seeded with { MaxTokens = 10 });
        using GenerationSession session = generator.CreateSession();
        await using IAsyncEnumerator<GeneratedToken> first = generator.StreamAsync(session, "What").GetAsyncEnumerator(), second = generator.StreamAsync(session, "else").GetAsyncEnumerator();
        await first.MoveNextAsync();
        Assert.That(async () => await second.MoveNextAsync(), Throws.InvalidOperationException.With.Message.Contains("another stream"));
        Assert.That(await first.MoveNextAsync());
        await first.DisposeAsync();
        Assert.That(await ToList(generator.StreamAsync(session, "")), Has.Count.EqualTo(10), "a stream that is left early leaves the session free");
    }

    [Test]
    public async Task A_stream_left_in_the_middle_of_a_character_or_a_stop_string_goes_on_there()
    {
        // Bytes of characters that the bias forces, two and three to a character, with a stop string that begins again and again.
        int[] script = [.. bytes.Encode("\u00e9ab\u20acabx\u00e9\u20ac")];
        GenerationOptions options = new() { Temperature = 0, MaxTokens = script.Length, Stop = ["abab"] };
        ScriptedExecutor scripted = new(executor, script);
        using TextGenerator generator = new(scripted, bytes, options);
        string whole = (await generator.GenerateAsync("?")).Text;
        Assert.That(whole, Is.EqualTo(bytes.Decode(script)));
        for (int left = 1; left < script.Length; left++)
        {
            using GenerationSession session = generator.CreateSession();
            StringBuilder text = new();
            await foreach (GeneratedToken token in generator.StreamAsync(session, "?"))
            {
                text.Append(token.Text);
                if (session.Tokens.Length == 1 + left)
                {
                    break;
                }
            }

            using MemoryStream file = new();
            generator.Save(session, file);
            file.Position = 0;
            using GenerationSession restored = generator.Restore(file);
            await foreach (GeneratedToken token in generator.StreamAsync(restored, ""))
            {
                text.Append(token.Text);
                if (restored.Tokens.Length == 1 + script.Length)
                {
                    break;
                }
            }

            Assert.That(text.ToString(), Is.EqualTo(whole), $"left after {left} tokens");
        }
    }

    [Test]
    public async Task A_failed_call_leaves_the_session_as_it_was()
    {
        ScriptedExecutor scripted = new(executor, []);
        using TextGenerator generator = new(scripted, bytes, Seeded with { MaxTokens = 5, RepetitionPenalty = 1.2f });
        using GenerationSession session = generator.CreateSession(), twin = generator.CreateSession();
        await generator.GenerateAsync(session, "Some text");
        await generator.GenerateAsync(twin, "Some text");
        int[] before = session.Tokens.ToArray();
        foreach (ScriptedExecutor.Fault fault in new[] { ScriptedExecutor.Fault.Fails, ScriptedExecutor.Fault.NotFinite })
        {
            scripted.Next = fault;
            Assert.That(async () => await generator.GenerateAsync(session, "more"), Throws.Exception);
            Assert.That(async () => await generator.GenerateAsync(session, ""), Throws.Exception);
            scripted.Next = ScriptedExecutor.Fault.None;
            Assert.That(session.Tokens.ToArray(), Is.EqualTo(before));
        }

        GenerationResult expected = await generator.GenerateAsync(twin, " and"), found = await generator.GenerateAsync(session, " and");
        Assert.That(found.Tokens, Is.EqualTo(expected.Tokens));
    }

    [Test]
    public void A_token_allocates_nothing()
    {
        SamplerScratch scratch = new(256);
        float[] logits = new float[256];
        using GenerationSession session = new(executor.CreateState());
        Sampler sampler = new(Seeded with { TopP = 0.9f, RepetitionPenalty = 1.1f }, 256);
        session.Append(new int[1000]);
        Advance();
        long allocated = Allocations.Of(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Advance();
            }
        });
        Assert.That(allocated, Is.Zero);

        void Advance()
        {
            executor.Prefill(session.Waiting, session.State, logits);
            session.Accept(logits, sampler, scratch);
        }
    }

    private static async Task<List<GeneratedToken>> ToList(IAsyncEnumerable<GeneratedToken> stream)
    {
        List<GeneratedToken> tokens = [];
        await foreach (GeneratedToken token in stream)
        {
            tokens.Add(token);
        }

        return tokens;
    }

    // What the session remembers goes on as a fresh state that was fed the same tokens.
    private void AssertHasSeen(GenerationSession session, int[] tokens)
    {
        using SequenceState expected = executor.CreateState(), found = executor.CreateState();
        executor.Prefill(tokens, expected, new float[256]);
        found.CopyFrom(session.State);
        if (!session.Waiting.IsEmpty)
        {
            executor.Prefill(session.Waiting, found, new float[256]);
        }

        Assert.That(found.Position, Is.EqualTo(expected.Position));
        Assert.That(Values(found), Is.EqualTo(Values(expected)));

        static float[] Values(SequenceState state)
        {
            float[] values = new float[state.Layout.Length(state.Position)];
            state.Export(values);
            return values;
        }
    }
}
