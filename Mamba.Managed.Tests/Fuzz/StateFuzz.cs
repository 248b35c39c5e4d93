using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>States, saved states, sessions and generators.</summary>
internal static class StateFuzz
{
    public static Action<Draw>[] All { get; } = [Mixers, States, Saved, Sessions, Sessions, Generators];

    private static void Mixers(Draw draw)
    {
        using MixerState state = draw.Model().Layers[0].Mixer.CreateState(), other = draw.Model().Layers[0].Mixer.CreateState();
        int window = state.Channels * state.ConvLength, scan = state.Channels * state.States;
        for (int i = 0; i < 6; i++)
        {
            FuzzPart.Try(() => state.Import(draw.Floats(draw.Length(window)), draw.Floats(draw.Length(scan))));
            FuzzPart.Try(() => state.Export(new float[draw.Length(window)], new float[draw.Length(scan)]));
            FuzzPart.Try(() => state.CopyFrom(draw.Once(9) ? null! : other));
            FuzzPart.Try(state.Clear);
            if (draw.Once(9))
            {
                draw.Pick(state, other).Dispose();
            }
        }
    }

    private static void States(Draw draw)
    {
        MambaConfig config = draw.Config();
        using CpuState state = new(draw.Once(4) ? draw.Changed(config) with { DModel = config.DModel, NLayer = config.NLayer } : config), other = new(config);
        int length = (int)Math.Min(state.Layout.Length(0), 1 << 20);
        float[] given = draw.Floats(length), back = new float[length];
        for (int i = 0; i < 6; i++)
        {
            FuzzPart.Try(() => state.Import(draw.Floats(draw.Length(length)), draw.Once(4) ? draw.Pick(-1, long.MaxValue, long.MinValue) : 7));
            FuzzPart.Try(() => state.Export(new float[draw.Length(length)]));
            FuzzPart.Try(() => other.CopyFrom(draw.Once(9) ? null! : state));
            if (FuzzPart.Try(() => state.Import(given, 3)) && FuzzPart.Try(() => state.Export(back)))
            {
                FuzzPart.RequireSame(given, back, "state as was given");
            }

            FuzzPart.Try(state.Clear);
            _ = state.ToString();
            if (draw.Once(9))
            {
                draw.Pick(state, other).Dispose();
            }
        }
    }

    private static void Saved(Draw draw)
    {
        MambaConfig config = draw.Config();
        using CpuState state = new(config), restored = new(draw.Once(5) ? draw.Changed(config) with { DModel = config.DModel, NLayer = config.NLayer, VocabSize = 5 } : config);
        float[] values = draw.Floats((int)state.Layout.Length(0));
        state.Import(values, draw.Below(99));
        using MemoryStream stream = new();
        byte[] session = new byte[draw.Below(30)];
        state.Save(stream, new(7), session);
        byte[] bytes = draw.Once(2) ? stream.ToArray() : Mutations.Of(stream.ToArray(), draw.Random);
        FuzzPart.Try(() => restored.Restore(new MemoryStream(bytes), new(draw.Once(9) ? 8u : 7u)));
        if (draw.Once(4))
        {
            restored.Dispose();
            FuzzPart.Try(() => restored.Restore(new MemoryStream(bytes), new(7)));
            FuzzPart.Try(() => restored.Save(new MemoryStream(bytes.Length / 2), new(7)));
        }
    }

    private static void Sessions(Draw draw)
    {
        MambaConfig config = draw.Config();
        using CpuExecutor executor = new(draw.Model(config), draw.Below(3) + 1);
        GenerationOptions options = ValueFuzz.Options(config.VocabSize, draw);
        int size = draw.Integer(config.VocabSize) is var vocabulary && vocabulary > 1 << 20 ? config.VocabSize : vocabulary;
        Sampler? sampler = FuzzPart.Try(() => new Sampler(options, size));
        GenerationSession session = new(executor.CreateState(), draw.Once(2) ? [] : draw.Tokens(draw.Size(), config.VocabSize));
        SamplerScratch scratch = new(config.VocabSize);
        float[] logits = new float[config.VocabSize];
        for (int i = 0; i < 8; i++)
        {
            FuzzPart.Try(() => session.Append(draw.Tokens(draw.Size(5) - 1, config.VocabSize)));
            FuzzPart.Try(() => executor.Prefill(session.Waiting, session.State, logits));
            FuzzPart.Try(() => session.Accept(draw.Once(9) ? draw.Floats(draw.Length(config.VocabSize)) : logits, sampler!, scratch));
            GenerationSession before = session;
            switch (draw.Below(12))
            {
                case 0:
                    FuzzPart.Try(session.Rewind);
                    break;
                case 1:
                    session = FuzzPart.Try(() => before.Fork(draw.Once(9) ? null! : executor.CreateState())) ?? session;
                    break;
                case 2:
                    session = FuzzPart.Try(() => Again(before, executor, draw)) ?? session;
                    break;
                case 3:
                    FuzzPart.Try(() => session.State.Import(draw.Floats((int)session.State.Layout.Length(0)), draw.Below(40)));
                    break;
                case 4 when draw.Once(4):
                    session.Dispose();
                    break;
                default:
                    break;
            }
        }
    }

    private static GenerationSession Again(GenerationSession session, CpuExecutor executor, Draw draw)
    {
        using MemoryStream stream = new();
        session.Save(stream, executor.Fingerprint);
        byte[] bytes = draw.Once(2) ? stream.ToArray() : Mutations.Of(stream.ToArray(), draw.Random);
        return GenerationSession.Restore(new MemoryStream(bytes), executor.Fingerprint, executor.CreateState());
    }

    // A session that is saved and restored goes on to the same text.
    private static void Generators(Draw draw)
    {
        MambaConfig config = draw.Config() with { VocabSize = 256 };
        using CpuExecutor executor = new(draw.Model(config), draw.Below(3) + 1);
        using TextGenerator generator = new(executor, new ByteTokenizer(), ValueFuzz.Options(256, draw));
        using GenerationSession session = generator.CreateSession();
        string first = ValueFuzz.Text(draw), second = ValueFuzz.Text(draw);
        Wait(generator.GenerateAsync(session, first));
        using MemoryStream stream = new();
        generator.Save(session, stream);
        stream.Position = 0;
        using GenerationSession restored = generator.Restore(stream), fork = generator.Fork(session);
        string expected = Wait(generator.GenerateAsync(session, second)).Text;
        FuzzPart.Require(expected == Wait(generator.GenerateAsync(restored, second)).Text, "the same text of a restored session");
        FuzzPart.Require(expected == Wait(generator.GenerateAsync(fork, second)).Text, "the same text of a fork");
    }

    private static GenerationResult Wait(Task<GenerationResult> task) => task.GetAwaiter().GetResult();
}
