using CommunityToolkit.HighPerformance;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Random arguments: mostly right, sometimes a little wrong, rarely absurd.</summary>
/// <param name="random">Everything follows from it.</param>
/// <param name="guarded">Where rows lie, half of the time; null for arrays alone.</param>
internal sealed class Draw(Random random, GuardedRows? guarded = null)
{
    private static readonly ElementType[] Types = [.. Enum.GetValues<ElementType>(), (ElementType)99, (ElementType)(-1)];
    private static readonly int[] Edges = [0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 256, 257];
    private static readonly int[] Absurd = [0, -1, 1, 512, 513, 65537, 1 << 24, (1 << 24) + 1, 1 << 30, int.MaxValue, int.MaxValue - 1, int.MinValue];
    private static readonly float[] Oddities = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, -float.MaxValue, float.Epsilon, -0f, 1e30f, -1e30f];

    public Random Random => random;

    /// <summary>True once in <paramref name="n"/> times.</summary>
    public bool Once(int n) => random.Next(n) == 0;

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[random.Next(choices.Length)];

    public int Below(int end) => random.Next(end);

    /// <summary>A size, from 1 on.</summary>
    public int Size(int most = 20) => Once(8) ? Math.Clamp(Pick<int>(Edges), 1, 2 * most) : random.Next(1, most + 1);

    /// <summary>A length that is mostly the one that is asked for.</summary>
    public int Length(int right) => random.Next(24) switch
    {
        0 => right + 1,
        1 => Math.Max(right - 1, 0),
        2 => 0,
        3 => Pick<int>(Edges),
        4 => right * 2,
        _ => right,
    };

    /// <summary>Any integer, mostly the one that is asked for.</summary>
    public int Integer(int right) => Once(10) ? Pick<int>(Absurd) : Once(10) ? right + random.Next(-2, 3) : right;

    public float Number(float right) => Once(12) ? Pick<float>(Oddities) : Once(6) ? right * ((2 * random.NextSingle()) - 1) : right;

    public float[] Floats(int length)
    {
        float[] values = new float[length];
        float scale = Once(30) ? 1e20f : 1;
        for (int i = 0; i < length; i++)
        {
            values[i] = (random.NextSingle() - 0.5f) * scale;
        }

        if (length > 0 && Once(20))
        {
            values[random.Next(length)] = Pick<float>(Oddities);
        }

        return values;
    }

    /// <summary>Where logits go: as many as asked for.</summary>
    public unsafe Span<float> Room(int length)
    {
        float[] room = new float[length];
        float* first = guarded is not null && Once(2) ? guarded.Place(room) : null;
        return first is null ? room : new Span<float>(first, length);
    }

    public int[] Tokens(int length, int vocabulary)
    {
        int[] tokens = new int[length];
        for (int i = 0; i < length; i++)
        {
            tokens[i] = random.Next(vocabulary);
        }

        if (length > 0 && Once(25))
        {
            tokens[random.Next(length)] = Pick(-1, vocabulary, int.MaxValue, int.MinValue);
        }

        return tokens;
    }

    public ElementType Type() => Once(2) ? ElementType.Float32 : Pick<ElementType>(Types);

    /// <summary>A tensor, mostly of floats and of this shape; sometimes disposed, or none at all.</summary>
    public Tensor Tensor(params int[] shape)
    {
        if (Once(60))
        {
            return null!;
        }

        shape = [.. shape];
        if (shape.Length > 0 && Once(25))
        {
            int at = random.Next(shape.Length);
            shape[at] = Length(shape[at]);
        }

        if (Once(40))
        {
            shape = Once(2) ? [.. shape, 1] : [.. shape.Skip(1)];
        }

        int count = shape.Aggregate(1, (product, dimension) => product * dimension);
        Tensor tensor = Managed.Tensors.Tensor.FromFloats(Floats(count), shape);
        if (Once(8))
        {
            ElementType type = Type();
            tensor = FuzzPart.Try(() => Managed.Kernels.TensorConversion.ConvertTo(tensor, type, 1)) ?? FuzzPart.Try(() => Managed.Tensors.Tensor.Zeros(type, shape)) ?? tensor;
        }

        if (Once(60))
        {
            tensor.Buffer.Dispose();
        }

        return tensor;
    }

    /// <summary>Rows, mostly as many and as wide as asked for, sometimes with a pitch.</summary>
    public unsafe Span2D<float> Rows(int rows, int features)
    {
        (rows, features) = (Length(rows), Length(features));
        int pitch = Once(3) ? random.Next(5) : 0;
        if (guarded is not null && rows > 0 && features > 0 && Once(2))
        {
            float* first = guarded.Place(Floats((rows * (features + pitch)) - pitch));
            if (first is not null)
            {
                return new Span2D<float>(first, rows, features, pitch);
            }
        }

        float[] values = Floats((rows * (features + pitch)) + 3);
        return new Span2D<float>(values, random.Next(4), rows, features, pitch);
    }

    /// <summary>Puts another tensor in the place of a few.</summary>
    public ParameterMap Map(int rarity) => (_, tensor) => Once(rarity) ? Tensor(tensor.Shape.ToArray()) : tensor;

    public string Path() => Pick("", "backbone", "x.y", "..", "é");

    public MambaConfig Config() => new()
    {
        DModel = Once(12) ? 256 : Once(6) ? 32 : Size(40),
        NLayer = random.Next(1, 4),
        VocabSize = Size(70),
        DState = Size(),
        DConv = random.Next(1, 6),
        DInner = Once(3) ? Size(40) : 0,
        DtRank = Once(3) ? Size(8) : 0,
        InProjBias = Once(3),
        ConvBias = !Once(3),
        OutProjBias = Once(3),
        TieEmbeddings = !Once(3),
        MixerNormEpsilon = Once(3) ? 1e-6f : null,
    };

    public MambaLanguageModel Model(MambaConfig? config = null) => MambaLanguageModel.Create(config ?? Config(), (ulong)random.Next(9));

    /// <summary>A configuration of which one value has changed.</summary>
    public MambaConfig Changed(MambaConfig config) => random.Next(14) switch
    {
        0 => config with { DModel = Integer(config.DModel + 1) },
        1 => config with { NLayer = Integer(config.NLayer + 1) },
        2 => config with { VocabSize = Integer(config.VocabSize + 1) },
        3 => config with { DState = Integer(config.DState + 1) },
        4 => config with { DConv = Integer(config.DConv + 1) },
        5 => config with { DInner = Integer(config.DInner + 1) },
        6 => config with { DtRank = Integer(config.DtRank + 1) },
        7 => config with { InProjBias = !config.InProjBias },
        8 => config with { ConvBias = !config.ConvBias },
        9 => config with { OutProjBias = !config.OutProjBias },
        10 => config with { TieEmbeddings = !config.TieEmbeddings },
        11 => config with { NormEpsilon = Number(config.NormEpsilon), DtMin = Number(config.DtMin), DtMax = Number(1), DtScale = Number(1), InitializerRange = Number(1) },
        12 => config with { EndTokenId = Integer(0) },
        _ => config with { MixerNormEpsilon = Number(1e-5f) },
    };
}
