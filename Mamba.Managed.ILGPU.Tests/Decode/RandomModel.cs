using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>Random weights of a model's own sizes, on the host: what is uploaded to a device and what the reference computes with.</summary>
internal sealed class RandomModel
{
    private readonly Random random;
    private readonly bool bfloat16;

    /// <param name="config">The sizes.</param>
    /// <param name="bfloat16">Whether the entries of matrices are numbers of bfloat16.</param>
    /// <param name="seed">Gives the weights.</param>
    public RandomModel(MambaConfig config, bool bfloat16 = false, int seed = 1)
    {
        Config = config;
        this.bfloat16 = bfloat16;
        random = new(seed);
        Embedding = Matrix(config.VocabSize, config.DModel, 1);
        Layers = [.. Enumerable.Range(0, config.NLayer).Select(_ => CreateLayer())];
        NormF = Vector(config.DModel, 1, 0.2);
        Head = config.TieEmbeddings ? Embedding : Matrix(config.VocabSize, config.DModel, 1);
    }

    public MambaConfig Config { get; }

    public float[] Embedding { get; }

    public float[] NormF { get; }

    public float[] Head { get; }

    public Layer[] Layers { get; }

    private Layer CreateLayer()
    {
        int outputs = Config.DtRank + (2 * Config.DState);
        return new()
        {
            Norm = Vector(Config.DModel, 1, 0.2),
            InProj = Matrix(2 * Config.DInner, Config.DModel, 1 / Math.Sqrt(Config.DModel)),
            InBias = Config.InProjBias ? Vector(2 * Config.DInner, 0, 0.2) : [],
            ConvWeight = Vector(Config.DInner * Config.DConv, 0, 0.5),
            ConvBias = Config.ConvBias ? Vector(Config.DInner, 0, 0.2) : [],
            XProj = Matrix(outputs, Config.DInner, 1 / Math.Sqrt(Config.DInner)),
            DtProj = Matrix(Config.DInner, Config.DtRank, 1 / Math.Sqrt(Config.DtRank)),
            DtBias = Vector(Config.DInner, -2, 1),
            A = [.. Vector(Config.DInner * Config.DState, 0, 0.3).Select((x, i) => -(1 + (i % Config.DState)) * MathF.Exp(x))],
            D = Vector(Config.DInner, 1, 0.3),
            OutProj = Matrix(Config.DModel, Config.DInner, 1 / Math.Sqrt(Config.DInner)),
            OutBias = Config.OutProjBias ? Vector(Config.DModel, 0, 0.2) : [],
        };
    }

    private float[] Matrix(int rows, int columns, double scale)
    {
        float[] entries = Vector(rows * columns, 0, scale);
        return bfloat16 ? Array.ConvertAll(entries, Round) : entries;
    }

    private float[] Vector(int length, double mean, double scale)
    {
        float[] entries = new float[length];
        for (int i = 0; i < length; i++)
        {
            entries[i] = (float)(mean + (scale * Math.Sqrt(3) * ((2 * random.NextDouble()) - 1)));
        }

        return entries;
    }

    private static float Round(float value) => BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(value) + 0x8000u) & 0xFFFF0000u);

    internal sealed class Layer
    {
        public required float[] Norm { get; init; }

        public required float[] InProj { get; init; }

        public required float[] InBias { get; init; }

        public required float[] ConvWeight { get; init; }

        public required float[] ConvBias { get; init; }

        public required float[] XProj { get; init; }

        public required float[] DtProj { get; init; }

        public required float[] DtBias { get; init; }

        public required float[] A { get; init; }

        public required float[] D { get; init; }

        public required float[] OutProj { get; init; }

        public required float[] OutBias { get; init; }
    }
}
