using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Threads that call, cancel and dispose what they share, while others write to the arrays that they pass.</summary>
internal sealed class ThreadFuzz : FuzzPart, IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mamba-fuzz-").FullName;
    private readonly MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 24, NLayer = 2, VocabSize = 256, DState = 5 }, 1);
    private readonly CpuExecutor calm;
    private readonly float[] expected;

    public ThreadFuzz()
    {
        Checkpoint.Save(folder, model);
        calm = new(model, 2);
        using CpuState state = calm.CreateState();
        calm.Prefill(Prompt, state, expected = new float[256]);
    }

    private static ReadOnlySpan<int> Prompt => [1, 2, 3, 200, 5, 6];

    /// <inheritdoc/>
    public override void Step(Random random)
    {
        using World world = new(model, folder, random);

        // A few kinds of calls at a time meet each other more often than all of them.
        int[] kinds = [.. Enumerable.Range(0, random.Next(2, 8)).Select(_ => random.Next(World.Kinds)), World.Destroys];
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, random.Next(2, 5)).Select(_ => Thread(random.Next(), random.Next(3, 40)))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        if (failure is not null)
        {
            throw new FuzzException(failure.ToString());
        }

        Thread Thread(int seed, int calls) => new(() =>
        {
            try
            {
                Draw draw = new(new Random(seed));
                for (int i = 0; i < calls; i++)
                {
                    Try(() => world.Call(kinds[draw.Below(kinds.Length)], draw));
                    if (draw.Once(6))
                    {
                        Undisturbed();
                    }
                }
            }
#pragma warning disable CA1031 // Told on the thread of the step.
            catch (Exception error)
#pragma warning restore CA1031
            {
                failure = error;
            }
        });
    }

    /// <inheritdoc/>
    public override void Close()
    {
        Dispose();
        Directory.Delete(folder, recursive: true);
    }

    /// <inheritdoc/>
    public void Dispose() => calm.Dispose();

    // Who shares nothing but an executor that nobody disposes gets right results.
    private void Undisturbed()
    {
        using CpuState state = calm.CreateState();
        float[] logits = new float[256];
        calm.Prefill(Prompt, state, logits);
        RequireSame(expected, logits, "logits of an undisturbed call");
    }

    /// <summary>What the threads of a step share.</summary>
    private sealed class World : IDisposable
    {
        public const int Destroys = 26;
        public const int Kinds = Destroys + 1;

        private readonly MambaLanguageModel weights;
        private readonly MambaLanguageModel trained;
        private readonly ModelSource source;
        private readonly CpuExecutor executor;
        private readonly CpuState[] states;
        private readonly SequenceState[] shared;
        private readonly MixerState mixerState;
        private readonly TextGenerator generator;
        private readonly GenerationSession[] sessions;
        private readonly TrainingPass pass;
        private readonly Gradients gradients;
        private readonly AdamW optimizer;
        private readonly TokenDocuments documents;
        private readonly Trainer trainer;
        private readonly CancellationTokenSource cancellation = new();
        private readonly int[] tokens = new int[700];
        private readonly int[] lengths = [3, 3, 3];
        private readonly SequenceInput[] batch;
        private readonly float[] logits = new float[256 * 8];

        public World(MambaLanguageModel model, string folder, Random random)
        {
            weights = model.CopyToFloat32();
            trained = model.CopyToFloat32();
            source = ModelSource.Open(folder);
            executor = new(model, random.Next(1, 4));
            states = [.. Enumerable.Range(0, 3).Select(_ => executor.CreateState())];
            shared = [.. states];
            batch = [.. states.Select(state => new SequenceInput(state, 3, LogitRows.Last))];
            mixerState = model.Layers[0].Mixer.CreateState();
            generator = new(executor, new ByteTokenizer(), new() { MaxTokens = 4, Seed = 1 });
            sessions = [generator.CreateSession(), generator.CreateSession()];
            pass = new(model.Config, random.Next(1, 4));
            gradients = new(trained);
            optimizer = new(trained);
            documents = TokenDocuments.Of(Enumerable.Range(0, 4).Select(i => Enumerable.Range(0, 40).ToArray()));
            trainer = new(model, documents, new() { Steps = 30, Batch = new() { Windows = 2, Length = 9, CarryState = random.Next(2) == 0 }, Threads = 2 });
        }

        public void Call(int kind, Draw draw)
        {
            switch (kind)
            {
                case 0 or 1:
                    executor.Prefill(tokens.AsSpan(0, draw.Size(draw.Once(4) ? 600 : 30)), states[draw.Below(3)], logits.AsSpan(0, 256), draw.Once(3) ? cancellation.Token : default);
                    break;
                case 2:
                    executor.Step(tokens.AsSpan(0, 3), shared, logits.AsSpan(0, 3 * 256));
                    break;
                case 3:
                    executor.Forward(tokens.AsSpan(0, 9), lengths, shared, logits.AsSpan(0, 3 * 256));
                    break;
                case 4:
                    executor.Run(tokens.AsSpan(0, 9), batch, logits.AsSpan(0, 3 * 256));
                    break;
                case 5:
                    tokens[draw.Below(9)] = draw.Once(3) ? draw.Pick(-1, 256, 1 << 28, int.MinValue) : draw.Below(256);
                    lengths[draw.Below(3)] = draw.Once(3) ? draw.Pick(0, -3, 1 << 30) : 3;
                    batch[draw.Below(3)] = new(shared[draw.Below(3)], draw.Once(3) ? 1 << 20 : 3, (LogitRows)draw.Below(3));
                    Array.Clear(tokens);
                    break;
                case 6:
                    shared[draw.Below(3)] = states[draw.Below(3)];
                    break;
                case 7:
                    states[draw.Below(3)].CopyFrom(states[draw.Below(3)]);
                    break;
                case 8:
                    float[] values = new float[states[0].Layout.Length(0)];
                    states[draw.Below(3)].Export(values);
                    states[draw.Below(3)].Import(values, draw.Below(9));
                    break;
                case 9:
                    using (MemoryStream stream = new())
                    {
                        states[draw.Below(3)].Save(stream, new(1));
                        stream.Position = 0;
                        states[draw.Below(3)].Restore(stream, new(1));
                    }

                    break;
                case 10:
                    Generate(draw);
                    break;
                case 11:
                    source.Model.Forward(tokens.AsSpan(0, 5), states[draw.Below(3)], logits.AsSpan(0, 256));
                    break;
                case 12:
                    _ = source.Tokenizer.VocabularySize + (long)source.Fingerprint.Value;
                    using (CpuExecutor other = draw.Once(2) ? new(source.Model, 2) : CpuExecutor.TakeOver(source.Model, 2))
                    {
                        other.Prefill(Prompt, states[draw.Below(3)], logits.AsSpan(0, 256));
                    }

                    break;
                case 13:
                    weights.Layers[0].Mixer.Forward(draw.Rows(9, 24), mixerState, draw.Rows(9, 24));
                    break;
                case 14:
                    weights.Parameters()[draw.Below(9)].Value.CopyTo(new float[weights.Parameters()[draw.Below(9)].Value.Count]);
                    break;
                case 15:
                    using (CpuExecutor other = draw.Once(2) ? new(weights, 2) : CpuExecutor.TakeOver(weights, 2))
                    {
                        other.Prefill(Prompt, states[draw.Below(3)], logits.AsSpan(0, 256));
                    }

                    break;
                case 16 or 17:
                    pass.Run(trained, Batch(draw), gradients);
                    break;
                case 18:
                    pass.Evaluate(draw.Once(2) ? trained : weights, Batch(draw));
                    break;
                case 19:
                    optimizer.Step(gradients, 1e-3, draw.Once(2) ? pass : null);
                    gradients.Clear();
                    break;
                case 20:
                    trainer.Advance();
                    break;
                case 21:
                    trainer.Run(null, cancellation.Token);
                    break;
                case 22:
                    documents.CopyTo(draw.Below(100), new int[draw.Below(60)]);
                    _ = documents.Start(draw.Below(5));
                    break;
                case 23:
                    trainer.Result.Parameters()[draw.Below(9)].Value.ToArray();
                    optimizer.FirstMoments.Parameters()[draw.Below(9)].Value.ToArray();
                    gradients.Parameters[draw.Below(9)].Value.ToArray();
                    break;
                case 24:
                    draw.Pick<SequenceState>(states).Clear();
                    mixerState.Clear();
                    break;
                case 25:
                    cancellation.CancelAfter(draw.Below(3));
                    break;
                default:
                    Destroy(draw);
                    break;
            }
        }

        public void Dispose()
        {
            foreach (IDisposable owned in Owned())
            {
                owned.Dispose();
            }

            cancellation.Dispose();
        }

        private TrainingBatch Batch(Draw draw) => new(tokens.AsMemory(0, 9), tokens.AsMemory(0, 9), lengths)
        {
            States = draw.Once(2) ? states : null,
            StateGradients = draw.Once(4) ? [.. states] : null,
        };

        private void Generate(Draw draw)
        {
            using CancellationTokenSource own = new();
            Task<GenerationResult> running = draw.Once(2)
                ? generator.GenerateAsync(sessions[draw.Below(2)], "ab", draw.Once(2) ? cancellation.Token : own.Token)
                : generator.GenerateAsync("abc", own.Token);
            if (draw.Once(2))
            {
                own.Cancel();
            }

            running.GetAwaiter().GetResult();
        }

        private void Destroy(Draw draw)
        {
            if (draw.Once(3))
            {
                IDisposable[] owned = [.. Owned()];
                owned[draw.Below(owned.Length)].Dispose();
            }
            else if (draw.Once(5))
            {
                draw.Pick(weights, trained, trainer.Model).DisposeParameters();
            }
        }

        private IEnumerable<IDisposable> Owned() => [source, executor, .. states, mixerState, generator, .. sessions, pass, gradients, optimizer, documents, trainer];
    }
}
