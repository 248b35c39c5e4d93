using Mamba.Managed.Evaluation;
using Mamba.Managed.Generation;
using Mamba.Managed.Tests.Generation;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Tensors, documents, tokenizers and options.</summary>
internal static class ValueFuzz
{
    public static Action<Draw>[] All { get; } = [Tensors, Tensors, Documents, Sampled, Bytes, Vocabularies, Configurations, Schedules, Tasks];

    private static void Tensors(Draw draw)
    {
        int[] shape = [.. Enumerable.Range(0, draw.Below(4)).Select(_ => draw.Once(20) ? -1 : draw.Size())];
        ElementType type = draw.Type();
        FuzzPart.Try(() => _ = type.BlockLength() + type.BlockSize() + type.Size());
        FuzzPart.Try(() => Tensor.Zeros(draw.Type(), draw.Integer(3), int.MaxValue, int.MaxValue, draw.Pick(-1, int.MaxValue)));
        int count = shape.Aggregate(1, (product, dimension) => product * dimension);
        float[] values = draw.Floats(draw.Length(Math.Max(count, 0)));
        Tensor tensor = draw.Below(3) switch
        {
            0 => Tensor.FromFloats(values, shape),
            1 => Tensor.Zeros(type, shape),
            _ => Tensor.FromBytes(type, new byte[draw.Length(FuzzPart.Try(() => Tensor.Zeros(type, shape)) is { } like ? (int)like.ByteLength : 3)], shape),
        };
        for (int i = 0; i < 8; i++)
        {
            FuzzPart.Try(() => tensor.CopyTo(new float[draw.Length(tensor.Count)]));
            FuzzPart.Try(() => tensor.CopyFrom(draw.Floats(draw.Length(tensor.Count))));
            int length = draw.Below((int)tensor.ByteLength + 2);
            FuzzPart.Try(() => tensor.CopyBytesTo(draw.Once(9) ? draw.Pick(long.MaxValue, long.MinValue, -1, tensor.ByteLength) : draw.Below((int)tensor.ByteLength + 1), new byte[length]));
            FuzzPart.Try(() => tensor.Reshape(draw.Pick<int[]>([tensor.Count], [1, tensor.Count], [draw.Integer(2), -1], [int.MaxValue, int.MaxValue, 4], [])).ToArray());
            FuzzPart.Try(() => tensor.ConvertTo(draw.Type(), draw.Pick(0, 1, 3, -1)).ToArray());
            FuzzPart.Try(() => tensor.ToFloat32().ToArray());
            _ = tensor.ToString() + tensor.HasShape(draw.Integer(1), 2);
            if (i == 4 && draw.Once(2))
            {
                new Linear(Tensor.Zeros(ElementType.Float32, 1, 1), Tensor.Zeros(ElementType.Float32, 1)).DisposeParameters();
                tensor.Buffer.Dispose();
            }
        }
    }

    private static void Documents(Draw draw)
    {
        int[][] all = [.. Enumerable.Range(0, draw.Below(5)).Select(_ => draw.Once(30) ? null! : draw.Tokens(draw.Below(40), 50))];
        using TokenDocuments documents = TokenDocuments.Of(all);
        for (int i = 0; i < 8; i++)
        {
            long start = draw.Once(9) ? draw.Pick(long.MaxValue, long.MinValue, -1) : draw.Below((int)documents.TokenCount + 1);
            FuzzPart.Try(() => documents.CopyTo(start, new int[draw.Once(9) ? 100 : draw.Below((int)Math.Max(documents.TokenCount - start, 0) + 2)]));
            FuzzPart.Try(() => documents.Start(draw.Integer(documents.Count)));
            if (i == 6 && draw.Once(2))
            {
                documents.Dispose();
            }
        }

        BatchOptions options = new() { Windows = draw.Integer(2), Length = draw.Integer(draw.Size(8)), CarryState = draw.Once(2) };
        BatchSampler sampler = new(documents, draw.Integer(0), draw.Once(4) ? draw.Integer(5) : documents.TokenCount, draw.Config(), options);
        for (int i = 0; i < 3; i++)
        {
            FuzzPart.Try(() => sampler.Batch(draw.Once(6) ? draw.Pick(-1, long.MaxValue, long.MinValue, 77) : i));
            FuzzPart.Try(() => sampler.TargetCount(draw.Below(9)));
        }

        if (draw.Once(4))
        {
            string path = Path.GetTempFileName();
            FuzzPart.Try(() => documents.Save(path));
            FuzzPart.Try(() => TokenDocuments.Open(path).Dispose());
            File.Delete(path);
        }
    }

    private static void Sampled(Draw draw)
    {
        int vocabulary = draw.Size(70);
        SeededSampler sampler = new(Options(vocabulary, draw), draw.Integer(vocabulary) is var size && size > 1 << 20 ? vocabulary : size);
        SamplerScratch scratch = new(draw.Integer(vocabulary) is var room && (room > 1 << 20 || room < 1) ? vocabulary : room);
        for (int i = 0; i < 6; i++)
        {
            FuzzPart.Try(() => sampler.Observe(draw.Tokens(draw.Below(9), vocabulary)));
            FuzzPart.Try(() => FuzzPart.Require((uint)sampler.Sample(draw.Floats(draw.Length(vocabulary)), draw.Once(40) ? null! : scratch) < (uint)sampler.VocabularySize, "a token of the vocabulary"));
        }
    }

    public static GenerationOptions Options(int vocabulary, Draw draw) => new()
    {
        MaxTokens = draw.Once(20) ? draw.Integer(1) : draw.Below(6) + 1,
        Temperature = draw.Once(3) ? 0 : draw.Number(1),
        TopK = draw.Once(2) ? 0 : draw.Integer(draw.Below(20)),
        TopP = draw.Once(2) ? 1 : draw.Number(0.9f),
        MinP = draw.Once(2) ? 0 : draw.Number(0.1f),
        RepetitionPenalty = draw.Once(2) ? 1 : draw.Number(1.1f),
        FrequencyPenalty = draw.Once(2) ? 0 : draw.Number(0.5f),
        PresencePenalty = draw.Once(2) ? 0 : draw.Number(0.5f),
        LogitBias = draw.Once(3) ? new Dictionary<int, float> { [draw.Integer(draw.Below(vocabulary))] = draw.Number(2) } : draw.Once(40) ? null! : new Dictionary<int, float>(),
        Seed = (ulong)draw.Below(99),
        Stop = draw.Once(3) ? draw.Pick<string[]>(["ab"], ["a", "aa"], [""], [null!], null!) : [],
        EndTokenIds = draw.Once(3) ? [draw.Integer(1)] : null,
        LogProbs = draw.Once(3) ? draw.Integer(2) : null,
    };

    public static string Text(Draw draw) =>
        string.Concat(Enumerable.Range(0, draw.Below(9)).Select(_ => draw.Pick("a", "ab ", "é", "e\u0301", "\ud83d\ude00", "\ud83d", "\ude00", "\0", "<|endoftext|>", " ", "\u212b", "12", "ᄀ\u1161")));

    private static void Bytes(Draw draw)
    {
        Tokenizer tokenizer = new ByteTokenizer();
        int[] tokens = tokenizer.Encode(draw.Once(60) ? null! : Text(draw));
        _ = tokenizer.Decode(tokens);
        Streamed(tokenizer, draw);
    }

    private static void Vocabularies(Draw draw)
    {
        List<KeyValuePair<string, int>> vocabulary = [new("a", 0), new("b", 1), new("ab", 2), new("Ġ", 3), new("aab", 4)];
        List<(string, string)> merges = [("a", "b"), ("a", "ab")];
        if (draw.Once(3))
        {
            vocabulary[draw.Below(5)] = new(draw.Pick("a", "", null!, "x", "\ud83d"), draw.Integer(draw.Below(6)));
        }

        if (draw.Once(4))
        {
            merges.Add((draw.Pick("a", "ab", "", null!), draw.Pick("b", "c", null!)));
        }

        AddedToken[] added = draw.Once(2) ? [] : [draw.Once(20) ? null! : new(draw.Integer(5), draw.Pick("<|x|>", "", null!, "a"), draw.Once(2), draw.Once(2))];
        BpeTokenizer tokenizer = new(vocabulary, merges, added, draw.Once(2) ? null : [draw.Integer(2)], draw.Once(2));
        FuzzPart.Try(() => tokenizer.Encode(draw.Once(2) ? "abaabab" : Text(draw)));
        Streamed(tokenizer, draw);
    }

    private static void Streamed(Tokenizer tokenizer, Draw draw)
    {
        StreamingDecoder decoder = new(tokenizer);
        foreach (int token in draw.Tokens(20, tokenizer.VocabularySize))
        {
            FuzzPart.Try(() => _ = decoder.Append(token).Length + tokenizer.BytesOf(token).Length);
        }

        _ = decoder.Flush().ToString();
        FuzzPart.Try(() => tokenizer.DecodeBytes(draw.Tokens(20, tokenizer.VocabularySize)));
    }

    private static void Configurations(Draw draw)
    {
        MambaConfig config = draw.Config();
        for (int i = 0; i < 4; i++)
        {
            config = draw.Changed(config);
            FuzzPart.Try(() => _ = config.ParameterCount);
            _ = config.ToString();
            if (FuzzPart.Try(() => config.Validate()) is not null)
            {
                _ = StateLayout.Of(config).Length(0);
            }
        }

        FuzzPart.Try(() => MambaConfig.PaddedVocabulary(draw.Integer(9), draw.Integer(8)));
        FuzzPart.Try(() => _ = StateLayout.Of(config));
        System.Collections.Immutable.ImmutableArray<int> shape = draw.Once(4) ? default : [draw.Integer(3), draw.Integer(3), draw.Integer(3)];
        StateLayout layout = new(draw.Once(9) ? default : [new StateArray(draw.Pick("a", "", null!), shape), new("a", [2])]);
        _ = layout.Length(draw.Pick(0, 5, -1, long.MaxValue)) + layout.GetHashCode() + layout.ToString();
    }

    private static void Schedules(Draw draw)
    {
        LearningRateSchedule schedule = new(draw.Number(1e-3f), draw.Integer(3), draw.Integer(9), draw.Number(0));
        FuzzPart.Try(() => schedule.Validate().Rate(draw.Integer(2)));
        _ = schedule.Rate(draw.Integer(2));
        FuzzPart.Try(() => new AdamWOptions { Beta1 = draw.Number(0.9f), Beta2 = draw.Number(0.9f), Epsilon = draw.Number(1e-8f), MaxNorm = draw.Number(1) }.Validate());
        _ = draw.Once(2) ? new TrainerOptions { Schedule = schedule, Steps = draw.Integer(2), Dropout = draw.Number(0.1f), Threads = draw.Integer(1) }.Validate() : null;
    }

    private static void Tasks(Draw draw)
    {
        SyntheticTask task = draw.Once(2) ? new InductionHeads() : new SelectiveCopying();
        int length = draw.Once(9) ? draw.Pick(-1, 0, int.MinValue) : draw.Size(60);
        FuzzPart.Try(() => task.TokenCount(length));
        FuzzPart.Try(() => _ = task.Sequence(length, 3).Count());
        SyntheticBatches batches = new(task, new() { Windows = draw.Integer(2) is var windows && windows > 9999 ? 3 : windows, Length = length }, draw.Once(2) ? null : new(draw.Integer(3), draw.Integer(4)));
        _ = batches.Description;
        _ = batches.Batch(draw.Integer(0)).TargetCount;
    }
}
