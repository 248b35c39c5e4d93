using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Execution;

/// <summary>One pass of the tokens of several sequences through all layers, as the workers of a pool run it together.</summary>
/// <remarks>
/// Residual and norm are shared out by rows. A single row is so little that every worker does it for itself, in memory of its own, and none
/// waits for another.
/// </remarks>
internal sealed unsafe class ForwardRegion : IRegion, IDisposable
{
    private readonly MambaConfig config;
    private readonly (float[] Norm, PackedMixer Mixer)[] blocks;
    private readonly float[] finalNorm;
    private readonly int threads;
    private readonly MixerPass pass;
    private PackedMatrix embedding;
    private PackedMatrix head;
    private readonly Activations residual = new(0);
    private readonly Activations normal = new(1);
    private PassBatch batch = null!;
    private int rows;
    private int logitRows;
    private float* logits;

    /// <summary>Packs a model.</summary>
    /// <param name="model">The weights.</param>
    /// <param name="threads">Threads that pack, and will compute.</param>
    /// <param name="release">Whether the memory of each tensor is given back once all layers that share it are packed.</param>
    public ForwardRegion(MambaLanguageModel model, int threads, bool release)
    {
        pass = new MixerPass(threads);
        config = model.Config;
        this.threads = threads;
        blocks = new (float[] Norm, PackedMixer Mixer)[model.Layers.Count];
        BufferUses? uses = release ? new BufferUses(model.Parameters().Select(parameter => parameter.Value)) : null;
        try
        {
            (embedding, head) = Pack(model.Vocabulary);
            Release(model.Vocabulary);
            ParallelLoop.For(blocks.Length, threads, i =>
            {
                blocks[i] = Pack(model.Layers[i]);
                Release(model.Layers[i]);
                if (i == 0 && RuntimeFeature.IsDynamicCodeCompiled)
                {
                    CompileKernels(blocks[i]);
                }
            });
            finalNorm = Copy(model.NormF);
            Release(model.NormF);
        }
        catch
        {
            Dispose();
            throw;
        }

        void Release<T>(IParameterTree<T> part)
        {
            foreach ((_, Tensors.Tensor weight) in uses is null ? [] : part.Parameters())
            {
                uses!.Done(weight);
            }
        }
    }

    /// <summary>Bytes of weights that one step reads, but for the one row of the embedding.</summary>
    public long StepBytes =>
        head.ByteLength + (finalNorm.Length * sizeof(float)) + blocks.Sum(block => block.Mixer.ByteLength + (block.Norm.Length * sizeof(float)));

    /// <summary>Bytes that a pass keeps for each of its rows.</summary>
    public long RowBytes => MixerPass.RowBytes(blocks[0].Mixer) + (2L * config.DModel * sizeof(float));

    /// <summary>Packs those parts anew whose tensors changed.</summary>
    /// <param name="before">The model that is packed.</param>
    /// <param name="after">The same with other tensors, norms of the model excepted.</param>
    public void Repack(MambaLanguageModel before, MambaLanguageModel after)
    {
        if (Differ(before.Vocabulary, after.Vocabulary))
        {
            (PackedMatrix oldEmbedding, PackedMatrix oldHead) = (embedding, head);
            (embedding, head) = Pack(after.Vocabulary);
            oldEmbedding.Dispose();
            oldHead.Dispose();
        }

        ParallelLoop.For(blocks.Length, threads, i =>
        {
            if (Differ(before.Layers[i], after.Layers[i]))
            {
                PackedMixer old = blocks[i].Mixer;
                blocks[i] = Pack(after.Layers[i]);
                old.Dispose();
            }
        });

        static bool Differ<T>(IParameterTree<T> a, IParameterTree<T> b) =>
            !a.Parameters().Select(p => p.Value).SequenceEqual(b.Parameters().Select(p => p.Value));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        pass.Dispose();
        residual.Dispose();
        normal.Dispose();

        // What was not packed, because packing failed before it came to it, is null.
        embedding?.Dispose();
        head?.Dispose();
        foreach ((_, PackedMixer? mixer) in blocks)
        {
            mixer?.Dispose();
        }
    }

    /// <summary>Takes the memory that a pass needs, so that nothing is asked for once states move.</summary>
    /// <exception cref="OutOfMemoryException">The system has not that much memory; the next call tries again.</exception>
    public void Reserve(int rows)
    {
        int copies = Math.Max(rows, threads);
        residual.Reserve(checked(copies * config.DModel));
        normal.Reserve(checked((copies + 1) * config.DModel));
        pass.Reserve(blocks[0].Mixer, rows);
    }

    /// <summary>Runs one pass, after <see cref="Reserve"/> of its rows.</summary>
    /// <param name="pool">Who computes.</param>
    /// <param name="batch">The tokens, whose they are, and which logits are wanted.</param>
    /// <param name="logits">[logit rows, vocab_size]</param>
    public void Run(WorkerPool pool, PassBatch batch, Span<float> logits)
    {
        (this.batch, rows, logitRows) = (batch, batch.Rows, batch.LogitCount);
        fixed (float* output = logits)
        {
            this.logits = output;
            try
            {
                pool.Run(this);
            }
            finally
            {
                this.logits = null;
            }
        }
    }

    /// <inheritdoc/>
    public void Execute(Worker worker)
    {
        int width = config.DModel, own = OwnMemory(worker);
        (int start, int end) = RowsOf(worker, rows);
        ReadOnlySpan<int> tokens = batch.Tokens;
        for (int row = start; row < end; row++)
        {
            embedding.CopyRow(tokens[row], residual.Slice(own + (row * width), width));
        }

        for (int i = 0; i < blocks.Length; i++)
        {
            for (int row = start; row < end; row++)
            {
                if (i > 0)
                {
                    AddMixed(own, row, row);
                }

                Normalize(own, row, blocks[i].Norm, row);
            }

            AwaitRows(worker);
            if (batch.IsClosing && i == blocks.Length - 1)
            {
                Close(worker);
                return;
            }

            pass.Forward(worker, blocks[i].Mixer, normal.Slice(own, rows * width), Mixed(0, rows), rows, batch.Sequences, i);
            worker.Barrier();
        }

        for (int row = start; row < end; row++)
        {
            AddMixed(own, row, row);
        }

        Project(worker);
    }

    // The last layer, where logits of last rows are wanted or none: nobody reads what the other rows give, so they only move the states on.
    private void Close(Worker worker)
    {
        int width = config.DModel, last = blocks.Length - 1;
        (float[] norm, PackedMixer mixer) = blocks[last];
        pass.Advance(worker, mixer, normal.Slice(OwnMemory(worker), rows * width), rows, batch.Silent, last);
        if (logitRows == 0)
        {
            return;
        }

        worker.Barrier();
        (int start, int end) = worker.Range(logitRows);
        for (int i = start; i < end; i++)
        {
            Normalize(0, LogitRow(i), norm, i);
        }

        worker.Barrier();
        pass.Forward(worker, mixer, normal.Slice(0, logitRows * width), Mixed(0, logitRows), logitRows, batch.Closing, last);
        worker.Barrier();
        for (int i = start; i < end; i++)
        {
            AddMixed(0, i, LogitRow(i));
        }

        Project(worker);
    }

    private (PackedMatrix Embedding, PackedMatrix Head) Pack(Shared vocabulary)
    {
        PackedMatrix packed = new(vocabulary.Embedding.Weight, threads);
        return (packed, vocabulary.Head is null ? packed : new PackedMatrix(vocabulary.Head.Weight, threads));
    }

    private static (float[] Norm, PackedMixer Mixer) Pack(ResidualBlock block) => (Copy(block.Norm), new PackedMixer(block.Mixer));

    // A few rows and a single one go through a block, so that kernels are compiled while others pack weights and not while a first token waits.
    private void CompileKernels((float[] Norm, PackedMixer Mixer) block)
    {
        (float[] norm, PackedMixer mixer) = block;
        using MixerState state = new(mixer.DInner, mixer.DConv, mixer.DState);
        float[] x = new float[8 * mixer.DModel];
        Span<float> row = x.AsSpan(0, mixer.DModel);
        RmsNormalization.Forward(row, norm, config.NormEpsilon, row);
        MixerPass.Forward(mixer, x, state, x);
        MixerPass.Forward(mixer, row, state, row);
        TensorPrimitives.Add(row, row, row);
    }

    private static float[] Copy(RmsNorm norm)
    {
        float[] weight = new float[norm.Weight.Count];
        norm.Weight.CopyTo(weight);
        return weight;
    }

    private void Project(Worker worker)
    {
        if (logitRows == 0)
        {
            return;
        }

        // The rows whose logits are wanted may be another worker's.
        AwaitRows(worker);
        int own = OwnMemory(worker);
        (int start, int end) = RowsOf(worker, logitRows);
        for (int row = start; row < end; row++)
        {
            Normalize(own, LogitRow(row), finalNorm, row);
        }

        AwaitRows(worker);
        Span<float> output = new(logits, logitRows * config.VocabSize);
        MatrixProduct.Forward(worker, pass.Scratch, normal.Slice(own, logitRows * config.DModel), config.DModel, head, [], output, logitRows);
    }

    // The row from which logits are computed.
    private int LogitRow(int index) => batch.LogitRows[index];

    private (int Start, int End) RowsOf(Worker worker, int total) => rows == 1 ? (0, 1) : worker.Range(total);

    private int OwnMemory(Worker worker) => rows == 1 ? worker.Index * config.DModel : 0;

    private void AwaitRows(Worker worker)
    {
        if (rows > 1)
        {
            worker.Barrier();
        }
    }

    // What a mixer gives takes the place of what it was given; of a single row it lies behind the copies of the workers.
    private Span<float> Mixed(int row, int count) => normal.Slice(((rows == 1 ? threads : 0) + row) * config.DModel, count * config.DModel);

    private void AddMixed(int own, int from, int to)
    {
        Span<float> sum = residual.Slice(own + (to * config.DModel), config.DModel);
        TensorPrimitives.Add(sum, Mixed(from, 1), sum);
    }

    private void Normalize(int own, int from, float[] weight, int to)
    {
        int width = config.DModel;
        RmsNormalization.Forward(residual.Slice(own + (from * width), width), weight, config.NormEpsilon, normal.Slice(own + (to * width), width));
    }
}
