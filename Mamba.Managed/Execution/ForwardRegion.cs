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
/// Residual and norm are divided among the workers by rows. For a single row every worker computes them itself, in its own copy: that is faster
/// than a barrier.
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
    private float* hidden;

    /// <summary>Packs a model.</summary>
    /// <param name="model">The weights.</param>
    /// <param name="threads">The number of threads for packing, and for the passes.</param>
    /// <param name="release">Whether the memory of each tensor is freed once all layers that share it are packed.</param>
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
            finalNorm = model.NormF.Weight.ToFloats();
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

    /// <summary>Bytes of weights that one decode step reads, except the row of the embedding.</summary>
    public long StepBytes =>
        head.ByteLength + (finalNorm.Length * sizeof(float)) + blocks.Sum(block => block.Mixer.ByteLength + (block.Norm.Length * sizeof(float)));

    /// <summary>Bytes that a pass keeps for each of its rows.</summary>
    public long RowBytes => MixerPass.RowBytes(blocks[0].Mixer) + (2L * config.DModel * sizeof(float));

    /// <summary>Repacks the parts whose tensors changed.</summary>
    /// <param name="before">The model that is packed now.</param>
    /// <param name="after">The same model with other tensors; the final norm must be the same.</param>
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

        // If packing failed, the parts after the failure are null.
        embedding?.Dispose();
        head?.Dispose();
        foreach ((_, PackedMixer? mixer) in blocks)
        {
            mixer?.Dispose();
        }
    }

    /// <summary>Allocates the memory of a pass in advance, so that no allocation can fail once states are being advanced.</summary>
    /// <exception cref="OutOfMemoryException">The system does not have that much memory; the next call tries again.</exception>
    public void Reserve(int rows)
    {
        int copies = Math.Max(rows, threads);
        residual.Reserve(checked(copies * config.DModel));
        normal.Reserve(checked((copies + 1) * config.DModel));
        pass.Reserve(blocks[0].Mixer, rows);
    }

    /// <summary>Runs one pass; <see cref="Reserve"/> was called for its rows.</summary>
    /// <param name="pool">The workers.</param>
    /// <param name="batch">The tokens, their sequences, and which logits are wanted.</param>
    /// <param name="logits">[logit rows, vocab_size]; empty where only hidden vectors are wanted.</param>
    /// <param name="hidden">[logit rows, d_model]: the output of the last norm; empty where only logits are wanted.</param>
    public void Run(WorkerPool pool, PassBatch batch, Span<float> logits, Span<float> hidden)
    {
        (this.batch, rows, logitRows) = (batch, batch.Rows, batch.LogitCount);
        fixed (float* output = logits, vectors = hidden)
        {
            this.logits = output;
            this.hidden = vectors;
            try
            {
                pool.Run(this);
            }
            finally
            {
                this.logits = null;
                this.hidden = null;
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
            if (batch.IsLastOnly && i == blocks.Length - 1)
            {
                LastLayer(worker);
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

    // The last layer of a pass that needs logits of last rows only, or none: the other rows only advance the states, their outputs are not computed.
    private void LastLayer(Worker worker)
    {
        int width = config.DModel, last = blocks.Length - 1;
        (float[] norm, PackedMixer mixer) = blocks[last];
        pass.Advance(worker, mixer, normal.Slice(OwnMemory(worker), rows * width), rows, batch.StateOnly, last);
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
        pass.Forward(worker, mixer, normal.Slice(0, logitRows * width), Mixed(0, logitRows), logitRows, batch.LastRows, last);
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

    private static (float[] Norm, PackedMixer Mixer) Pack(ResidualBlock block) => (block.Norm.Weight.ToFloats(), new PackedMixer(block.Mixer));

    // Runs several rows and then one row through a block, so that the JIT compiles the kernels while other threads pack weights, not during the first
    // token.
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

    

    private void Project(Worker worker)
    {
        if (logitRows == 0)
        {
            return;
        }

        // Another worker may have computed the rows whose logits are wanted.
        AwaitRows(worker);
        int own = OwnMemory(worker);
        (int start, int end) = RowsOf(worker, logitRows);
        for (int row = start; row < end; row++)
        {
            Normalize(own, LogitRow(row), finalNorm, row);
        }

        if (hidden != null && (rows > 1 || worker.Index == 0))
        {
            normal.Slice(own + (start * config.DModel), (end - start) * config.DModel).CopyTo(new(hidden + (start * config.DModel), (end - start) * config.DModel));
        }

        if (logits == null)
        {
            return;
        }

        AwaitRows(worker);
        Span<float> output = new(logits, logitRows * config.VocabSize);
        MatrixProduct.Forward(worker, pass.Scratch, normal.Slice(own, logitRows * config.DModel), config.DModel, head, [], output, logitRows);
    }

    // The row of the pass that row `index` of the logits comes from.
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

    // The mixer's output overwrites its input; for a single row it is stored behind the workers' copies.
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
